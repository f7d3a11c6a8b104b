/** Owns the SQL of forgetting an owner who was erased, step by step. */
import type { Transaction } from '@quartet/kit/postgres'

// Locked at once, and written: few enough for a placement or a drive not to wait for long.
const STEP_SIZE = 500

/**
 * Forgets what up to 500 orders of an owner hold of the person, from after a position; gives the position
 * to go on from, undefined at the end. An order that is still to be delivered needs its address, and one
 * that is to be paid its method: the write that ends it forgets them (`updateOrders`).
 */
export async function forgetOrders(
  tx: Transaction,
  ownerId: string,
  after: number,
): Promise<number | undefined> {
  const orders = await tx.query<{ id: string; position: number }>(
    'select id, position from orders where owner_id = $1 and position > $2 order by position limit $3',
    [ownerId, after, STEP_SIZE],
  )
  const ids = orders.map(({ id }) => id)
  // Whoever is ending one of them may not have seen that its owner is erased: waited for, and then seen
  // ended. Whoever locks it after us sees the erasure.
  tx.send('select from orders where id = any($1) order by id for update', [ids])
  tx.send(
    `update orders set idempotency_key = null, request_hash = '',
       shipping_address = case when status in ('completed', 'canceled') then null else shipping_address end,
       payment_method = case when status in ('completed', 'canceled') then null else payment_method end
     where id = any($1)`,
    [ids],
  )
  return orders.length < STEP_SIZE ? undefined : orders.at(-1)?.position
}
