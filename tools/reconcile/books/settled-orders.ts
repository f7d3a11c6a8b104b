/** Owns which orders are judged: those that have ended, and not a moment ago. */
import { pagesOf, type Books } from '../books.ts'

export type SettledOrder = {
  id: string
  status: 'confirmed' | 'completed' | 'canceled'
  payment_id: string | null
  /** In minor units; null where the order never had a price. */
  total: number | null
  currency: string | null
  lines: { product_id: string; quantity: number }[]
}

const SETTLED = `status in ('confirmed', 'completed', 'canceled')`

/** The ids of settled orders, page by page. */
export function settledOrderIds({ databases, until }: Books): AsyncGenerator<string[]> {
  return pagesOf(
    databases.orders,
    `select id, position from orders
     where position > $1 and ${SETTLED} and updated_at <= $3
     order by position limit $2`,
    [until],
  )
}

/**
 * Those of these orders that are settled now. Read before what they are compared with: an order settles
 * after its neighbours have.
 */
export function readSettled({ databases, until }: Books, ids: string[]): Promise<SettledOrder[]> {
  return databases.orders.byIndex<SettledOrder>(
    `select id, status, payment_id, lines, (totals->>'total')::bigint as total,
       totals->>'currency' as currency
     from orders where id = any($1) and ${SETTLED} and updated_at <= $2`,
    [ids, until],
  )
}

/** Those of these ids that are no order's at all. */
export async function findMissingOrders({ databases }: Books, ids: string[]): Promise<Set<string>> {
  const rows = await databases.orders.byIndex<{ id: string }>(
    'select id from orders where id = any($1)',
    [ids],
  )
  return new Set(ids).difference(new Set(rows.map(({ id }) => id)))
}
