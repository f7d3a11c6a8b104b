/** Owns the SQL of the event log as its readers see it: what comes after a position, and who has read how far. */
import type { Tx } from './postgres.ts'
import type { World } from './world.ts'

export type LoggedEvent = {
  sequence: number
  id: string
  type: string
  subject: string
  time: Date
  data: Record<string, unknown>
}

/** An event with what it says as JSON text, for whoever only sends it on. */
export type StoredEvent = Omit<LoggedEvent, 'data'> & { data: string }

/** Events after a position; `position` is how far the log was read for them, whatever was passed over. */
export type EventPage = { events: StoredEvent[]; position: number }

/** The log no longer has what comes after the position that was asked for; `oldest` is what it has. */
export type EventsGone = { oldest: number }

export type EventQuery = {
  after: number
  /** Only these; undefined: all. */
  types: string[] | undefined
  /** Nor those whose data has this field true. */
  unless: string | undefined
  limit: number
}

/** Looked at for one page, at most: types that come seldom shall not be searched for in the whole log. */
const MAX_SCANNED = 10_000

/**
 * Reads on from a position, in order, gap-free (rule 18). Since numbers have no gaps, how far the log
 * goes is known by its ends; only what is asked for is read.
 */
export async function readEvents(tx: Tx, query: EventQuery): Promise<EventPage | EventsGone> {
  const { after, types, unless, limit } = query
  const isFiltered = types !== undefined || unless !== undefined
  const [ends] = await tx.query<{ next: number | null; newest: number }>(
    `select (select sequence from events where sequence > $1 order by sequence limit 1) as next,
       (select last_sequence from event_counter) as newest`,
    [after],
  )
  const { next = null, newest = 0 } = ends ?? {}
  if (next === null)
    return newest > after ? { oldest: newest + 1 } : { events: [], position: after }
  if (next > after + 1) return { oldest: next }
  const last = Math.min(newest, after + (isFiltered ? MAX_SCANNED : limit))
  const events = await tx.query<StoredEvent>(
    `select sequence, id, type, subject, time, data::text as data from events
     where sequence > $1 and sequence <= $2
       and ($4::text[] is null or type = any($4))
       and ($5::text is null or data -> $5 is distinct from 'true'::jsonb)
     order by sequence limit $3`,
    [after, last, limit, types ?? null, unless ?? null],
  )
  const position = events.length === limit ? (events.at(-1)?.sequence ?? last) : last
  return { events, position }
}

/** An event without what it says. */
export type EventHead = Pick<LoggedEvent, 'sequence' | 'type' | 'subject'>

/** The number of the newest event; 0 before the first. */
export async function newestSequence(tx: Tx): Promise<number> {
  const [counter] = await tx.query<{ newest: number }>(
    'select last_sequence as newest from event_counter',
  )
  return counter?.newest ?? 0
}

/** What comes after a position, in order: little, even where there is much. */
export function readHeads(
  tx: Tx,
  { after, limit }: { after: number; limit: number },
): Promise<EventHead[]> {
  return tx.query(
    'select sequence, type, subject from events where sequence > $1 order by sequence limit $2',
    [after, limit],
  )
}

/**
 * The last events of a subject, in order. It wants an index on `subject`, which whoever asks makes:
 * apart, since sorted in one statement the whole log might be read backwards instead.
 */
export function readSubject(tx: Tx, subject: string, limit: number): Promise<EventHead[]> {
  return tx.query(
    `with said as materialized (
       select sequence, type, subject from events where subject = $1
     ), last as (
       select * from said order by sequence desc limit $2
     )
     select * from last order by sequence`,
    [subject, limit],
  )
}

/** Whether a subject has said something that has no number yet. */
export async function hasUnnumbered(tx: Tx, subject: string): Promise<boolean> {
  const rows = await tx.query('select from outbox where subject = $1 limit 1', [subject])
  return rows.length > 0
}

/**
 * Up to `limit` events after a position, for the broker: a reader finds what is missing there in the
 * feed. So nothing is read that is more than `furthest` behind the newest, or was dropped.
 */
export async function readToPublish(
  tx: Tx,
  { after, furthest, limit }: { after: number; furthest: number; limit: number },
): Promise<StoredEvent[]> {
  return tx.query<StoredEvent>(
    `select sequence, id, type, subject, time, data::text as data from events
     where sequence > greatest($1::bigint, (select last_sequence from event_counter) - $2::bigint)
     order by sequence limit $3`,
    [after, furthest, limit],
  )
}

/**
 * Tells the name of this log, which is given when it is first asked for: a log that was made anew
 * begins with 1 again, and must not be taken for the one before.
 */
export function createLogId({
  db,
  ids,
}: Pick<World<unknown>, 'db' | 'ids'>): () => Promise<string> {
  const read = async () => {
    const [row] = await db.query<{ log_id: string | null }>('select log_id from event_counter')
    return row?.log_id ?? undefined
  }
  const give = async () => {
    await db.query('update event_counter set log_id = $1 where log_id is null', [ids.next('log')])
    return read()
  }
  let known: string | undefined
  return async () => {
    known ??= (await read()) ?? (await give())
    if (known === undefined) throw new Error('the event log has no name')
    return known
  }
}

export type Subscriber = { name: string; acknowledged: number; seen_at: Date }

/** Who reads this log and how far each has come, and the number of its newest event. */
export async function readSubscribers(
  tx: Tx,
): Promise<{ newest: number; subscribers: Subscriber[] }> {
  const newest = await newestSequence(tx)
  const subscribers = await tx.query<Subscriber>(
    'select name, acknowledged, seen_at from subscribers order by name',
  )
  return { newest, subscribers }
}

/** Registers a subscriber, or notes how far it has come: it never goes back. */
export async function acknowledge(
  tx: Tx,
  { name, after, now }: { name: string; after: number; now: Date },
): Promise<void> {
  await tx.query(
    `insert into subscribers (name, acknowledged, seen_at) values ($1, $2, $3)
     on conflict (name) do update set seen_at = excluded.seen_at,
       acknowledged = greatest(subscribers.acknowledged, excluded.acknowledged)`,
    [name, after, now],
  )
}
