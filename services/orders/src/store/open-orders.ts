/** Owns the SQL of open_orders: which orders are under way, and when each is to be driven next. */
import type { Transaction, Tx } from '@quartet/kit/postgres'

/** When an order is to be driven next. */
export type Drive = { order: { id: string }; driveAt: Date }

/** Opens orders, or takes the lease of those that are open already. Ids must differ. */
export function leaseOpenOrders(tx: Transaction, drives: Drive[]): void {
  if (drives.length === 0) return
  tx.send(
    `insert into open_orders (order_id, drive_at) select * from unnest($1::text[], $2::timestamptz[])
     on conflict (order_id) do update set drive_at = excluded.drive_at`,
    columnsOf(drives),
  )
}

/**
 * Puts off the next drive of open orders; those that were closed meanwhile stay closed. It waits for
 * nobody: whoever holds a row says when that order is driven next. (Waiting could deadlock: a
 * settlement takes the orders it closes before those it leaves open, not all in id order.)
 */
export async function postponeOpenOrders(tx: Tx, drives: Drive[]): Promise<void> {
  await tx.query(
    `with locked as materialized (
       select order_id from open_orders where order_id = any($1) order by order_id
       for update skip locked
     )
     update open_orders set drive_at = later.drive_at
     from unnest($1::text[], $2::timestamptz[]) as later (order_id, drive_at)
     where open_orders.order_id = later.order_id
       and later.order_id = any(array(select order_id from locked))`,
    columnsOf(drives),
  )
}

// Sorted, so that two batches lock in one order (rule 15).
function columnsOf(drives: Drive[]): [string[], Date[]] {
  const sorted = drives.toSorted((a, b) => (a.order.id < b.order.id ? -1 : 1))
  return [sorted.map(({ order }) => order.id), sorted.map(({ driveAt }) => driveAt)]
}

export function closeOpenOrders(tx: Transaction, ids: string[]): void {
  tx.send(
    `with locked as materialized (
       select order_id from open_orders where order_id = any($1) order by order_id for update
     )
     delete from open_orders where order_id in (select order_id from locked)`,
    [ids],
  )
}

/**
 * Makes orders due now that wait for their customer (whose payment status is one of these); one that is
 * under way is about to learn the same, and one that is closed stays closed.
 */
export async function wakeOpenOrders(
  tx: Transaction,
  ids: string[],
  { now, waiting }: { now: Date; waiting: readonly string[] },
): Promise<void> {
  const found = await tx.query<{ id: string }>(
    `select id from orders where id = any($1) and status = 'pending' and payment_status = any($2)`,
    [ids, waiting],
  )
  if (found.length === 0) return
  const woken = found.map(({ id }) => id)
  tx.send('select from open_orders where order_id = any($1) order by order_id for update', [woken])
  tx.send('update open_orders set drive_at = $2 where order_id = any($1) and drive_at > $2', [
    woken,
    now,
  ])
}

export type DueOrder = { order_id: string; attempts: number }

/** Takes up to `limit` orders that are due, and their lease until `leaseUntil`; skips what another replica takes. */
export async function claimDueOrders(
  tx: Tx,
  { now, leaseUntil, limit }: { now: Date; leaseUntil: Date; limit: number },
): Promise<DueOrder[]> {
  return tx.query<DueOrder>(
    `update open_orders set drive_at = $2, attempts = attempts + 1
     where order_id in (
       select order_id from open_orders where drive_at <= $1
       order by drive_at limit $3 for update skip locked)
     returning order_id, attempts`,
    [now, leaseUntil, limit],
  )
}

/** How many orders are under way, counted up to `limit`, and when the next is due. */
export async function surveyOpenOrders(
  tx: Tx,
  limit: number,
): Promise<{ count: number; nextDriveAt: Date | null }> {
  const [row] = await tx.query<{ count: number; next_drive_at: Date | null }>(
    `select (select count(*) from (select from open_orders limit $1) as counted) as count,
       (select min(drive_at) from open_orders) as next_drive_at`,
    [limit],
  )
  return { count: row?.count ?? 0, nextDriveAt: row?.next_drive_at ?? null }
}
