/** Owns the SQL of open_orders: which orders are under way, and when each is to be driven next. */
import type { Transaction, Tx } from '@quartet/kit/postgres'

/** What a driver that claimed an order holds: the time until which it is his, and the count of claims. */
export type Lease = { until: Date; attempts: number }

/** When an order is to be driven next; with a lease, only if that is still what the row says. */
export type Drive = { order: { id: string }; driveAt: Date; lease?: Lease | undefined }

/** Opens orders, or takes the lease of those that are open already. Ids must differ. */
export function leaseOpenOrders(tx: Transaction, drives: Drive[]): void {
  if (drives.length === 0) return
  tx.send(
    `insert into open_orders (order_id, drive_at) select * from unnest($1::text[], $2::timestamptz[])
     on conflict (order_id) do update set drive_at = excluded.drive_at`,
    columnsOf(inOrder(drives)),
  )
}

/**
 * Puts off the next drive of open orders; those that were closed meanwhile stay closed, and those that
 * were woken while their lease was held stay due. It waits for nobody: whoever holds a row says when
 * that order is driven next. (Waiting could deadlock: a settlement takes the orders it closes before
 * those it leaves open, not all in id order.)
 */
export async function postponeOpenOrders(tx: Tx, drives: Drive[]): Promise<void> {
  const sorted = inOrder(drives)
  await tx.query(
    `with locked as materialized (
       select order_id from open_orders where order_id = any($1) order by order_id
       for update skip locked
     )
     update open_orders set drive_at = later.drive_at
     from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::int[])
       as later (order_id, drive_at, held_until, attempts)
     where open_orders.order_id = later.order_id
       and later.order_id = any(array(select order_id from locked))
       and (later.held_until is null or (open_orders.drive_at, open_orders.attempts) =
         (later.held_until, later.attempts))`,
    [
      ...columnsOf(sorted),
      sorted.map(({ lease }) => lease?.until ?? null),
      sorted.map(({ lease }) => lease?.attempts ?? null),
    ],
  )
}

// Sorted, so that two batches lock in one order (rule 15).
const inOrder = (drives: Drive[]) => drives.toSorted((a, b) => (a.order.id < b.order.id ? -1 : 1))

const columnsOf = (drives: Drive[]): [string[], Date[]] => [
  drives.map(({ order }) => order.id),
  drives.map(({ driveAt }) => driveAt),
]

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
 * under way is about to learn the same, and one that is closed stays closed. Whoever drives one just now
 * has lost its lease: what it has seen is older than what woke it. Back-off begins anew.
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
  tx.send('update open_orders set drive_at = $2, attempts = 0 where order_id = any($1)', [
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

/**
 * How many orders are under way, that is to be driven before `horizon`, counted up to `limit`; and when
 * the next of all is due. Those that sleep until their time to pay is over cost nothing, and aren't counted.
 */
export async function surveyOpenOrders(
  tx: Tx,
  { horizon, limit }: { horizon: Date; limit: number },
): Promise<{ count: number; nextDriveAt: Date | null }> {
  const [row] = await tx.query<{ count: number; next_drive_at: Date | null }>(
    `select (select count(*) from (select from open_orders where drive_at <= $1 limit $2) as counted)
         as count,
       (select min(drive_at) from open_orders) as next_drive_at`,
    [horizon, limit],
  )
  return { count: row?.count ?? 0, nextDriveAt: row?.next_drive_at ?? null }
}
