/** Owns the SQL of payments. Every function takes the transaction first; batches are sorted by key. */
import { isErasedSql } from '@quartet/kit/erased-subjects'
import type { Transaction, Tx } from '@quartet/kit/postgres'
import type { Payment } from './domain.ts'

type PaymentRow = {
  position: number
  id: string
  order_id: string | null
  owner_id: string
  amount: number | null
  currency: string | null
  capture_method: Payment['captureMethod']
  pays_later: boolean
  created_at: Date
  status: Payment['status']
  payment_method: string | null
  attempt: number
  undo: boolean
  capture_amount: number | null
  amount_capturable: number
  amount_received: number
  refunds_claimed: number
  amount_refunded: number
  code: string | null
  next_action: Payment['nextAction']
  updated_at: Date
}

const toPayment = (row: PaymentRow): Payment => ({
  id: row.id,
  orderId: row.order_id,
  ownerId: row.owner_id,
  amount: row.amount,
  currency: row.currency,
  captureMethod: row.capture_method,
  paysLater: row.pays_later,
  createdAt: row.created_at,
  status: row.status,
  paymentMethod: row.payment_method,
  attempt: row.attempt,
  undo: row.undo,
  captureAmount: row.capture_amount,
  amountCapturable: row.amount_capturable,
  amountReceived: row.amount_received,
  refundsClaimed: row.refunds_claimed,
  amountRefunded: row.amount_refunded,
  code: row.code,
  nextAction: row.next_action,
  updatedAt: row.updated_at,
})

const column = <Value>(payments: Payment[], pick: (payment: Payment) => Value): Value[] =>
  payments.map(pick)

/** Claims payments by an insert of their own (rule 14); returns the ids of those whose id and order were free. */
export async function insertPayments(tx: Tx, payments: Payment[]): Promise<Set<string>> {
  const key = ({ orderId, id }: Payment) => orderId ?? id
  const sorted = payments.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
  const rows = await tx.query<{ id: string }>(
    `insert into payments (id, order_id, owner_id, amount, currency, capture_method, pays_later,
       created_at, status, payment_method, attempt, undo, amount_capturable, amount_received,
       refunds_claimed, amount_refunded, updated_at)
     select id, order_id, owner_id, amount, currency, capture_method, pays_later, created_at, status,
       payment_method, attempt, undo, 0, 0, 0, 0, created_at
     from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[],
       $7::boolean[], $8::timestamptz[], $9::text[], $10::text[], $11::int[], $12::boolean[])
       as new (id, order_id, owner_id, amount, currency, capture_method, pays_later, created_at,
         status, payment_method, attempt, undo)
     on conflict do nothing returning id`,
    [
      column(sorted, (payment) => payment.id),
      column(sorted, (payment) => payment.orderId),
      column(sorted, (payment) => payment.ownerId),
      column(sorted, (payment) => payment.amount),
      column(sorted, (payment) => payment.currency),
      column(sorted, (payment) => payment.captureMethod),
      column(sorted, (payment) => payment.paysLater),
      column(sorted, (payment) => payment.createdAt),
      column(sorted, (payment) => payment.status),
      column(sorted, (payment) => payment.paymentMethod),
      column(sorted, (payment) => payment.attempt),
      column(sorted, (payment) => payment.undo),
    ],
  )
  return new Set(rows.map(({ id }) => id))
}

/** Payments by id. */
export async function findPayments(tx: Tx, ids: string[]): Promise<Map<string, Payment>> {
  if (ids.length === 0) return new Map()
  const rows = await tx.query<PaymentRow>('select * from payments where id = any($1)', [ids])
  return new Map(rows.map((row) => [row.id, toPayment(row)]))
}

/** Payments by id, locked in id order. */
export async function lockPayments(tx: Tx, ids: string[]): Promise<Map<string, Payment>> {
  const rows = await tx.query<PaymentRow>(
    'select * from payments where id = any($1) order by id for update',
    [ids],
  )
  return new Map(rows.map((row) => [row.id, toPayment(row)]))
}

/** Payments by their order's id. */
export async function findPaymentsOfOrders(
  tx: Tx,
  orderIds: string[],
): Promise<Map<string, Payment>> {
  if (orderIds.length === 0) return new Map()
  const rows = await tx.query<PaymentRow & { order_id: string }>(
    'select * from payments where order_id = any($1)',
    [orderIds],
  )
  return new Map(rows.map((row) => [row.order_id, toPayment(row)]))
}

// How somebody paid who was erased is needed only while the charge may have to be asked for again.
const KEPT_METHOD = `case when new.status in ('processing', 'requires_action') then new.payment_method
  when ${isErasedSql('payments.owner_id')} then null else new.payment_method end`

/** Writes the changing part of locked payments. */
export function updatePayments(tx: Transaction, payments: Payment[]): void {
  if (payments.length === 0) return
  tx.send(
    `update payments set status = new.status, payment_method = ${KEPT_METHOD},
       attempt = new.attempt, undo = new.undo, capture_amount = new.capture_amount,
       amount_capturable = new.amount_capturable, amount_received = new.amount_received,
       refunds_claimed = new.refunds_claimed, amount_refunded = new.amount_refunded,
       code = new.code, next_action = new.next_action, updated_at = new.updated_at
     from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::boolean[], $6::bigint[],
       $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::jsonb[],
       $13::timestamptz[])
       as new (id, status, payment_method, attempt, undo, capture_amount, amount_capturable,
         amount_received, refunds_claimed, amount_refunded, code, next_action, updated_at)
     where payments.id = new.id`,
    [
      column(payments, (payment) => payment.id),
      column(payments, (payment) => payment.status),
      column(payments, (payment) => payment.paymentMethod),
      column(payments, (payment) => payment.attempt),
      column(payments, (payment) => payment.undo),
      column(payments, (payment) => payment.captureAmount),
      column(payments, (payment) => payment.amountCapturable),
      column(payments, (payment) => payment.amountReceived),
      column(payments, (payment) => payment.refundsClaimed),
      column(payments, (payment) => payment.amountRefunded),
      column(payments, (payment) => payment.code),
      column(payments, ({ nextAction }) => nextAction && JSON.stringify(nextAction)),
      column(payments, (payment) => payment.updatedAt),
    ],
  )
}

export type ListFilter = {
  ownerId: string | undefined
  orderId: string | undefined
  status: string | undefined
  before: number | undefined
  limit: number
}

/** Payments, newest first, with the position that a cursor continues from. Tombstones aren't shown. */
export async function listPayments(
  tx: Tx,
  { ownerId, orderId, status, before, limit }: ListFilter,
): Promise<{ payment: Payment; position: number }[]> {
  // One text per combination of filters, so that each gets a plan of its own.
  const filters = [
    { condition: 'owner_id =', value: ownerId },
    { condition: 'order_id =', value: orderId },
    { condition: 'status =', value: status },
    { condition: 'position <', value: before },
  ].filter(({ value }) => value !== undefined)
  const where = filters.map(({ condition }, index) => ` and ${condition} $${index + 2}`).join('')
  const rows = await tx.query<PaymentRow>(
    `select * from payments where amount is not null${where} order by position desc limit $1`,
    [limit, ...filters.map(({ value }) => value)],
  )
  return rows.map((row) => ({ payment: toPayment(row), position: row.position }))
}
