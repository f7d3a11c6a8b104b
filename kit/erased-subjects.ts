/** Owns the SQL of erased subjects: who is erased, and how far what is kept of them is forgotten. */
import { ERASURES_CHANNEL } from './bell.ts'
import type { Transaction, Tx } from './postgres.ts'

/** A subject that is erased, and since when. */
export type Erased = { subject: string; erasedAt: Date }

const LOCK = `hashtext('erasures')`

/**
 * Keeps erasures from being recorded until the transaction ends. Sent before all else of a transaction
 * that takes something from subjects, and followed by a look at who is erased, it leaves no gap: either
 * the look, being a later statement, finds the erasure, or whoever forgets finds what was taken.
 * Nothing is waited for under this lock that waits for it, so it can't deadlock.
 */
export function holdErasures(tx: Transaction): void {
  tx.send(`select pg_advisory_xact_lock_shared(${LOCK})`)
}

/** SQL that is true where `column` names an erased subject. Asked a row: as a join it could be planned to read all of the table. */
export const isErasedSql = (column: string): string =>
  `(select true from erased_subjects where subject = ${column}) is true`

/** Of these subjects, those that are erased. */
export async function findErased(tx: Tx, subjects: string[]): Promise<Set<string>> {
  const rows = await tx.query<{ subject: string }>(
    'select subject from erased_subjects where subject = any($1)',
    [subjects],
  )
  return new Set(rows.map(({ subject }) => subject))
}

/**
 * Records erasures, each once, and tells all replicas. Waits for whoever holds erasures off, and lets
 * nobody do so until the transaction ends: nothing slow may follow.
 */
export function recordErased(tx: Transaction, erased: Erased[]): void {
  const sorted = erased.toSorted((a, b) => (a.subject < b.subject ? -1 : 1))
  tx.send(`select pg_advisory_xact_lock(${LOCK})`)
  tx.send(
    `insert into erased_subjects (subject, erased_at)
     select * from unnest($1::text[], $2::timestamptz[]) on conflict (subject) do nothing`,
    [sorted.map(({ subject }) => subject), sorted.map(({ erasedAt }) => erasedAt)],
  )
  tx.send('select pg_notify($1, null)', [ERASURES_CHANNEL])
}

/**
 * Erasures in the order in which they were recorded. The lock lets one be recorded after the other, so
 * none turns up behind a position that was read.
 */
export async function readErased(
  tx: Tx,
  { after, limit }: { after: number; limit: number },
): Promise<(Erased & { position: number })[]> {
  return tx.query(
    `select position, subject, erased_at as "erasedAt" from erased_subjects
     where position > $1 order by position limit $2`,
    [after, limit],
  )
}

/** The position of the last erasure, 0 when there is none. */
export async function lastErasedPosition(tx: Tx): Promise<number> {
  const [row] = await tx.query<{ last: number }>(
    'select coalesce(max(position), 0) as last from erased_subjects',
  )
  return row?.last ?? 0
}

/** An erasure that isn't carried out here yet; `progress` is how far whoever forgets has come. */
export type Unforgotten = { position: number; subject: string; progress: number }

/** The first unforgotten subject from a position on, past those that another replica is at. */
export async function claimUnforgotten(tx: Tx, from: number): Promise<Unforgotten | undefined> {
  const [row] = await tx.query<Unforgotten>(
    `select position, subject, progress from erased_subjects
     where forgotten_at is null and position >= $1
     order by position limit 1 for update skip locked`,
    [from],
  )
  return row
}

/** Notes how far a claimed subject is forgotten. */
export function noteProgress(tx: Transaction, subject: string, progress: number): void {
  tx.send('update erased_subjects set progress = $2 where subject = $1', [subject, progress])
}

/** Notes that nothing of a claimed subject is kept any more. */
export function noteForgotten(tx: Transaction, subject: string, now: Date): void {
  tx.send('update erased_subjects set forgotten_at = $2 where subject = $1', [subject, now])
}
