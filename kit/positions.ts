/** Owns the SQL of positions: how far this service has come with a log, and which replica goes on from there. */
import { LEASES_CHANNEL } from './bell.ts'
import type { Transaction, Tx } from './postgres.ts'

/** Which position: that of a reader in another's log, or of the publisher in this service's own. */
export type PositionKey = { table: 'subscriptions' | 'publications'; source: string }

export type Lease = { position: number; leasedUntil: Date; isMine: boolean }

/** Who goes on, and until when the others stand by. */
export type Renewal = { holder: string; until: Date }

/** Takes or renews the lease on a position unless another replica holds it; says how things stand. */
export async function takeLease(
  tx: Tx,
  { table, source }: PositionKey,
  { holder, now, until }: Renewal & { now: Date },
): Promise<Lease> {
  const [row] = await tx.query<{ position: number; holder: string; leased_until: Date }>(
    `insert into ${table} as known (source, position, holder, leased_until)
     values ($1, 0, $2, $3)
     on conflict (source) do update set
       holder = case when known.holder = $2 or known.leased_until is null or known.leased_until <= $4
         then $2 else known.holder end,
       leased_until = case when known.holder = $2 or known.leased_until is null or known.leased_until <= $4
         then $3 else known.leased_until end
     returning position, holder, leased_until`,
    [source, holder, until, now],
  )
  if (row === undefined) throw new Error(`no position of ${source} in ${table}`)
  return { position: row.position, leasedUntil: row.leased_until, isMine: row.holder === holder }
}

/** Gives the lease back and says so, so that another replica goes on at once. */
export async function releaseLease(
  tx: Tx,
  { table, source }: PositionKey,
  holder: string,
): Promise<void> {
  await tx.query(
    `with released as (
       update ${table} set leased_until = null where source = $1 and holder = $2 returning source
     )
     select pg_notify($3, source) from released`,
    [source, holder, LEASES_CHANNEL],
  )
}

/**
 * Moves the position and renews the lease. False when the position isn't `from` any more: another
 * replica was faster (rule 19). The row stays locked until the transaction ends.
 */
export async function movePosition(
  tx: Tx,
  { table, source }: PositionKey,
  { from, to, holder, until }: { from: number; to: number } & Renewal,
): Promise<boolean> {
  const rows = await tx.query(
    `update ${table} set position = $3, holder = $4, leased_until = $5
     where source = $1 and position = $2 returning source`,
    [source, from, to, holder, until],
  )
  return rows.length === 1
}

/** Locks a subscription, so that nothing is applied or set aside meanwhile. */
export function lockSubscription(tx: Transaction, source: string): void {
  tx.send('select from subscriptions where source = $1 for update', [source])
}
