/** Owns the SQL of events that could not be applied, and of those that wait behind them (rule 20). */
import type { LoggedEvent } from './event-log.ts'
import type { Transaction, Tx } from './postgres.ts'

export type SetAsideEvent = LoggedEvent & { reason: string; set_aside_at: Date }

/** Sets events of a source aside, in the transaction that moves the position past them. */
export function setAside(
  tx: Transaction,
  source: string,
  events: { event: LoggedEvent; reason: string }[],
  now: Date,
): void {
  if (events.length === 0) return
  const column = <Value>(pick: (event: LoggedEvent) => Value) =>
    events.map(({ event }) => pick(event))
  tx.send(
    `insert into set_aside_events
       (source, sequence, id, type, subject, time, data, reason, set_aside_at)
     select $1, sequence, id, type, subject, time, data, reason, $9
     from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[],
       $8::text[]) as new (sequence, id, type, subject, time, data, reason)
     on conflict do nothing`,
    [
      source,
      column(({ sequence }) => sequence),
      column(({ id }) => id),
      column(({ type }) => type),
      column(({ subject }) => subject),
      column(({ time }) => time),
      column(({ data }) => JSON.stringify(data)),
      events.map(({ reason }) => reason),
      now,
    ],
  )
}

/** Of the subjects of these events, those that have events of the source set aside. */
export async function blockedSubjects(
  tx: Tx,
  source: string,
  events: LoggedEvent[],
): Promise<Set<string>> {
  // As a rule nothing is set aside at all.
  const any = await tx.query('select from set_aside_events where source = $1 limit 1', [source])
  if (any.length === 0) return new Set()
  const subjects = [...new Set(events.map(({ subject }) => subject))]
  const rows = await tx.query<{ subject: string }>(
    'select distinct subject from set_aside_events where source = $1 and subject = any($2)',
    [source, subjects],
  )
  return new Set(rows.map(({ subject }) => subject))
}

export type SetAsideFilter = { source?: string; subject?: string; limit: number }

/** What is set aside, in order. */
export async function listSetAside(
  tx: Tx,
  { source, subject, limit }: SetAsideFilter,
): Promise<(SetAsideEvent & { source: string })[]> {
  return tx.query(
    `select source, sequence, id, type, subject, time, data, reason, set_aside_at
     from set_aside_events
     where ($1::text is null or source = $1) and ($2::text is null or subject = $2)
     order by source, sequence limit $3`,
    [source ?? null, subject ?? null, limit],
  )
}

/** Takes an event back, once it was applied. */
export function removeSetAside(tx: Transaction, source: string, sequence: number): void {
  tx.send('delete from set_aside_events where source = $1 and sequence = $2', [source, sequence])
}

export async function countSetAside(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ count: number }>('select count(*) as count from set_aside_events')
  return row?.count ?? 0
}
