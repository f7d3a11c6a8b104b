/** Owns checking each service's event log: numbered without gaps, and without delay. */
import { SERVICES, type ServiceName } from '../../start/plan.ts'
import type { Books } from '../books.ts'
import { createWholeCheck, type Kind, type Nudge } from '../check.ts'

type Name = 'event_gap' | 'event_counter_differs' | 'events_not_numbered'
type Log = {
  count: number
  first: number | null
  last: number | null
  counter: number
  waiting: number
  oldest: number
}

const KINDS: Record<Name, Kind> = {
  event_gap: {
    says: 'A number is missing in an event log: readers never learn of that event.',
    byHand:
      'Events are numbered and moved in one transaction, so something else wrote to the database. Restore the event from a backup, under its number.',
  },
  event_counter_differs: {
    says: 'The counter of an event log is not its last number: the next is given twice, or left out.',
    byHand:
      'Stop the service; set last_sequence of event_counter to the last number that any reader has seen; start it again.',
  },
  events_not_numbered: {
    says: 'Events wait in the outbox for longer than it takes to number them.',
    byHand: '',
  },
}

/** The event log of each service. */
export const eventLogs = SERVICES.map((service) =>
  createWholeCheck<Name>({
    book: `events of ${service}`,
    noun: 'events',
    kinds: KINDS,
    async count({ databases }) {
      const [row] = await databases[service].whole<{ count: number }>('select count(*) from events')
      return row?.count ?? 0
    },
    find: (books) => judge(books, service),
  }),
)

type Differs = { kind: Name; id: string; detail: string; nudge?: Nudge }

async function judge({ databases, until }: Books, service: ServiceName): Promise<Differs[]> {
  const { whole: read } = databases[service]
  const [log] = await read<Log>(
    `select count(*), min(sequence) as first, max(sequence) as last,
       (select last_sequence from event_counter) as counter,
       (select count(*) from outbox where time <= $1) as waiting,
       (select min(position) from outbox where time <= $1) as oldest
     from events`,
    [until],
  )
  if (log === undefined) return []
  const { count, first, last, counter, waiting, oldest } = log
  const found: Differs[] = []
  // The oldest may have been removed, after every reader had them: what is left has no gap.
  const missing = first === null || last === null ? 0 : last - first + 1 - count
  if (missing > 0) {
    const [before] = await read<{ sequence: number }>(FIRST_BEFORE_GAP)
    const number = (before?.sequence ?? 0) + 1
    const detail = `${missing} missing, the first is ${number}`
    found.push({ kind: 'event_gap', id: service, detail })
  }
  if (last !== null && counter !== last) {
    const detail = `counter: ${counter}; last: ${last}`
    found.push({ kind: 'event_counter_differs', id: service, detail })
  }
  if (waiting > 0) {
    // With the oldest: where that is numbered meanwhile, they are on their way.
    const id = `${service} ${oldest}`
    const nudge = { do: 'number-events', service } as const
    found.push({ kind: 'events_not_numbered', id, detail: `${waiting} wait`, nudge })
  }
  return found
}

const FIRST_BEFORE_GAP = `
  select sequence from (
    select sequence, lead(sequence) over (order by sequence) as next from events
  ) as numbered where next > sequence + 1 order by sequence limit 1`
