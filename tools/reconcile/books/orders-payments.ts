/** Owns comparing ended orders with their payments: paid in full and once, or nothing kept. */
import type { Books } from '../books.ts'
import { createCheck, type Found } from '../check.ts'
import { readSettled, settledOrderIds, type SettledOrder } from './settled-orders.ts'

type Payment = {
  id: string
  order_id: string
  status: string
  amount: number | null
  currency: string | null
  amount_received: number
  amount_refunded: number
}
type Name =
  | 'confirmed_without_payment'
  | 'confirmed_not_paid'
  | 'amount_not_total'
  | 'canceled_but_paid'
  | 'canceled_payment_open'

/** Orders, seen from payments. */
export const ordersPayments = createCheck<string, Name>({
  book: 'orders, payments',
  noun: 'orders',
  kinds: {
    confirmed_without_payment: {
      says: 'An order was confirmed, and its payment is not there.',
      byHand:
        'Search the record of the provider for the order; was the payments database restored from an older backup? Without a charge, cancel the order as an admin (POST /orders/<id>/cancel).',
    },
    confirmed_not_paid: {
      says: 'An order was confirmed, and its payment holds no money for it.',
      byHand:
        'Ask the provider about the payment. Without a charge, cancel the order as an admin (POST /orders/<id>/cancel).',
    },
    amount_not_total: {
      says: 'The payment of a confirmed order is for another amount than its total.',
      byHand:
        'Too much: give the rest back as an admin (POST /payments/<id>/refunds). Too little: cancel the order, or let it be.',
    },
    canceled_but_paid: {
      says: 'An order was canceled, and its money was not given back.',
      byHand: 'Give it back as an admin: POST /payments/<id>/refunds.',
    },
    canceled_payment_open: {
      says: 'An order was canceled, and its payment may still be charged or captured.',
      byHand:
        'Nothing asks payments again. See in the logs of orders and payments why its void was lost, then void it (POST /commands/void, signed as orders).',
    },
  },
  pages: settledOrderIds,
  async compare(books, ids) {
    const orders = await readSettled(books, ids)
    const payments = await readPayments(books, ids)
    return orders.flatMap((order) =>
      order.status === 'canceled'
        ? judgeCanceled(order.id, payments.get(order.id))
        : judgeConfirmed(order, payments.get(order.id)),
    )
  },
})

async function readPayments({ databases }: Books, ids: string[]): Promise<Map<string, Payment>> {
  const rows = await databases.payments.byIndex<Payment>(
    `select id, order_id, status, amount, currency, amount_received, amount_refunded
     from payments where order_id = any($1)`,
    [ids],
  )
  return new Map(rows.map((row) => [row.order_id, row]))
}

function judgeConfirmed(order: SettledOrder, payment: Payment | undefined): Found<string, Name>[] {
  const { id } = order
  const differs = (kind: Name, detail: string) => ({ kind, id, detail, item: id })
  if (payment === undefined || payment.id !== order.payment_id) {
    const found = payment === undefined ? 'none' : payment.id
    const detail = `orders: ${order.payment_id ?? 'none'}; payments: ${found}`
    return [differs('confirmed_without_payment', detail)]
  }
  const { status, amount_received: received } = payment
  const said = `${payment.id} is ${status}, ${received} received`
  const unpaid = isPaid(payment) ? [] : [differs('confirmed_not_paid', said)]
  if (payment.amount === order.total && payment.currency === order.currency) return unpaid
  const total = `${order.total} ${order.currency}`
  const amount = `${payment.amount} ${payment.currency}`
  const detail = `orders: ${total}; payments: ${amount} (${payment.id})`
  return [...unpaid, differs('amount_not_total', detail)]
}

// What is captured by hand is held until then; an admin may capture less. What costs nothing is paid.
const isPaid = ({ status, amount, amount_received }: Payment): boolean =>
  status === 'requires_capture' || (status === 'succeeded' && (amount_received > 0 || amount === 0))

function judgeCanceled(id: string, payment: Payment | undefined): Found<string, Name>[] {
  if (payment === undefined) return []
  const kept = payment.amount_received - payment.amount_refunded
  const differs = (kind: Name, detail: string) => [{ kind, id, detail, item: id }]
  if (kept > 0) {
    const detail = `${payment.id} keeps ${kept} ${payment.currency}`
    return differs('canceled_but_paid', detail)
  }
  const isOver = ['canceled', 'failed', 'succeeded'].includes(payment.status)
  return isOver ? [] : differs('canceled_payment_open', `${payment.id} is ${payment.status}`)
}
