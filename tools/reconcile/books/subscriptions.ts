/** Owns comparing how far each reader of events has come with the log that it reads. */
import { SERVICES, type ServiceName } from '../../start/plan.ts'
import type { Books } from '../books.ts'
import { createWholeCheck } from '../check.ts'

type Name =
  | 'events_not_read'
  | 'event_set_aside'
  | 'reader_ahead_of_log'
  | 'reader_not_registered'
  | 'acknowledged_but_not_read'
  | 'events_gone_unread'

type Differs = { kind: Name; id: string; detail: string }

/** Readers of events, and the logs that they read. */
export const subscriptions = createWholeCheck<Name>({
  book: 'readers, events',
  noun: 'readers',
  kinds: {
    events_not_read: {
      says: 'A reader does not get on with events that have waited for long.',
      byHand: 'Its log says why it cannot read or apply them; npm run status says whether it runs.',
    },
    event_set_aside: {
      says: 'Events could not be applied by a reader, and wait.',
      byHand: 'Mend the cause, then: npm run events -- replay, with the id below.',
    },
    reader_ahead_of_log: {
      says: 'A reader has come further than the log that it reads: it will pass over what comes.',
      byHand:
        'The log was restored from an older backup. Set position in subscriptions of the reader to last_sequence in event_counter of the log; what was lost between is reconciled by hand.',
    },
    reader_not_registered: {
      says: 'A reader is not known to the log that it reads: unread events may be dropped.',
      byHand: 'It is registered by its next request: is it running (npm run status)?',
    },
    acknowledged_but_not_read: {
      says: 'A reader has acknowledged events that it has not read.',
      byHand:
        'The reader was restored from an older backup. It reads them again as long as they are kept: set acknowledged in subscribers of the log to its position now.',
    },
    events_gone_unread: {
      says: 'Events were dropped before a reader had read them.',
      byHand:
        'Take what they told from the service itself, then set position in subscriptions of the reader to one before the oldest event.',
    },
  },
  async count({ databases }) {
    const counts = await Promise.all(
      SERVICES.map((service) =>
        databases[service].whole<{ count: number }>('select count(*) from subscriptions'),
      ),
    )
    return counts.flat().reduce((sum, { count }) => sum + count, 0)
  },
  async find(books, limit) {
    // The logs first: what is acknowledged was read before.
    const logs = new Map<ServiceName, Log>()
    for (const service of SERVICES) logs.set(service, await readLog(books, service))
    const found: Differs[] = []
    for (const service of SERVICES) {
      for (const { source, position } of await readPositions(books, service)) {
        const name = SERVICES.find((each) => each === source)
        const log = name && logs.get(name)
        if (name === undefined || log === undefined) continue
        // A log that was read before its reader may have grown since.
        const { newest } = position > log.newest ? await readLog(books, name) : log
        found.push(...judge({ service, source, position }, { ...log, newest }))
      }
      found.push(...(await findSetAside(books, service, limit)))
    }
    return found
  },
})

type Log = {
  newest: number
  /** The oldest event that is kept. */
  first: number | null
  /** The newest that should have been read by now. */
  due: number
  acknowledged: Record<string, number>
}

async function readLog({ databases, until }: Books, service: ServiceName): Promise<Log> {
  const [log] = await databases[service].whole<Log>(
    `select last_sequence as newest, (select min(sequence) from events) as first,
       (select coalesce(max(sequence), 0) from events where time <= $1) as due,
       (select coalesce(jsonb_object_agg(name, acknowledged), '{}') from subscribers)
         as acknowledged
     from event_counter`,
    [until],
  )
  return log ?? { newest: 0, first: null, due: 0, acknowledged: {} }
}

type Position = { source: string; position: number }

const readPositions = ({ databases }: Books, service: ServiceName): Promise<Position[]> =>
  databases[service].whole<Position>('select source, position from subscriptions order by source')

function judge(
  { service, source, position }: Position & { service: ServiceName },
  { newest, first, due, acknowledged }: Log,
): Differs[] {
  const id = `${service} ${source}`
  const at = `${service} has read up to ${position}`
  const known = acknowledged[service]
  const differs = (kind: Name, detail: string) => ({ kind, id, detail: `${at}; ${detail}` })
  const found: Differs[] = []
  if (position > newest) found.push(differs('reader_ahead_of_log', `the newest is ${newest}`))
  // Its first request registers it.
  if (known === undefined && position > 0) {
    found.push(differs('reader_not_registered', `${source} does not know it`))
  }
  if (known !== undefined && known > position) {
    found.push(differs('acknowledged_but_not_read', `${source} was told ${known}`))
  }
  if (first !== null && first > position + 1) {
    found.push(differs('events_gone_unread', `the oldest is ${first}`))
  }
  // With its position: who has read on meanwhile gets on.
  if (due > position) {
    found.push({ ...differs('events_not_read', `${due} is due`), id: `${id} ${position}` })
  }
  return found
}

async function findSetAside(
  { databases }: Books,
  service: ServiceName,
  limit: number,
): Promise<Differs[]> {
  const rows = await databases[service].whole<{ source: string; subject: string; count: number }>(
    `select source, subject, count(*) from set_aside_events
     group by source, subject order by source, subject limit $1`,
    [limit],
  )
  return rows.map(({ source, subject, count }) => ({
    kind: 'event_set_aside',
    id: `${service} ${source} ${subject}`,
    detail: `${count} wait`,
  }))
}
