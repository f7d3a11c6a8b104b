/** Owns finding payments of orders that do not exist. */
import { pagesOf } from '../books.ts'
import { createCheck } from '../check.ts'
import { findMissingOrders } from './settled-orders.ts'

/** Payments, seen from orders. */
export const paymentsOrders = createCheck<string, 'paid_for_no_order'>({
  book: 'payments, orders',
  noun: 'payments',
  kinds: {
    paid_for_no_order: {
      says: 'A payment is of an order that does not exist.',
      byHand:
        'Was the orders database restored from an older backup? What was paid for nothing is given back by an admin (POST /payments/<id>/refunds).',
    },
  },
  pages: ({ databases, until }) =>
    pagesOf(
      databases.payments,
      `select id, position from payments
       where position > $1 and order_id is not null and updated_at <= $3
       order by position limit $2`,
      [until],
    ),
  async compare(books, ids) {
    const payments = await books.databases.payments.byIndex<{ id: string; order_id: string }>(
      `select id, order_id from payments
       where id = any($1) and order_id is not null and status not in ('canceled', 'failed')`,
      [ids],
    )
    // Read after the payment: its order was written before it.
    const missing = await findMissingOrders(
      books,
      payments.map(({ order_id }) => order_id),
    )
    return payments
      .filter(({ order_id }) => missing.has(order_id))
      .map(({ id, order_id }) => ({
        kind: 'paid_for_no_order',
        id,
        detail: `orders does not know ${order_id}`,
        item: id,
      }))
  },
})
