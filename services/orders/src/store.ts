/** Owns the SQL of orders. Every function takes the transaction first; batches are sorted by key. */
import { isErasedSql } from '@quartet/kit/erased-subjects'
import type { Transaction, Tx } from '@quartet/kit/postgres'
import type { KnownPayment, Order, OrderStatus } from './domain.ts'

type OrderRow = {
  position: number
  id: string
  owner_id: string
  idempotency_key: string | null
  request_hash: string
  lines: Order['lines']
  payment_method: string | null
  capture_method: Order['captureMethod']
  expected_total: Order['expectedTotal']
  pricing_version: number
  shipping_address: Order['shippingAddress']
  expires_at: Date
  created_at: Date
  status: OrderStatus
  payment_status: string
  fulfillment_status: Order['fulfillmentStatus']
  priced_lines: Order['pricedLines']
  totals: Order['totals']
  payment_id: string | null
  cancel_reason: Order['cancelReason']
  decline_code: string | null
  next_action: Order['nextAction']
  confirmed_at: Date | null
  updated_at: Date
}

function toOrder(row: OrderRow): Order {
  return {
    id: row.id,
    ownerId: row.owner_id,
    idempotencyKey: row.idempotency_key,
    requestHash: row.request_hash,
    lines: row.lines,
    paymentMethod: row.payment_method,
    captureMethod: row.capture_method,
    expectedTotal: row.expected_total,
    pricingVersion: row.pricing_version,
    shippingAddress: row.shipping_address,
    expiresAt: row.expires_at,
    createdAt: row.created_at,
    status: row.status,
    paymentStatus: row.payment_status,
    fulfillmentStatus: row.fulfillment_status,
    pricedLines: row.priced_lines,
    totals: row.totals,
    paymentId: row.payment_id,
    cancelReason: row.cancel_reason,
    declineCode: row.decline_code,
    nextAction: row.next_action,
    confirmedAt: row.confirmed_at,
    updatedAt: row.updated_at,
  }
}

const json = (value: unknown) => (value === null ? null : JSON.stringify(value))
// What an order that has ended is not needed for any more, once its owner is erased. An order that goes
// on is not looked up: it is most of what is written.
const keptOf = (name: 'shipping_address' | 'payment_method') =>
  `case when new.status not in ('completed', 'canceled') then orders.${name}
     when ${isErasedSql('orders.owner_id')} then null else orders.${name} end`

const column = <Value>(orders: Order[], pick: (order: Order) => Value) => orders.map(pick)

type Claim = Pick<Order, 'id' | 'ownerId' | 'idempotencyKey' | 'requestHash'>

/** Who claimed an id, by which key, with what: two requests may want the same id. */
export const claimOf = ({ id, ownerId, idempotencyKey, requestHash }: Claim): string =>
  JSON.stringify([id, ownerId, idempotencyKey, requestHash])

/** Inserts the orders whose id and key are free and whose owner isn't erased; returns the claims (see `claimOf`) of those inserted. */
export async function insertOrders(tx: Tx, orders: Order[]): Promise<Set<string>> {
  const sorted = orders.toSorted((a, b) => compare(claimKey(a), claimKey(b)))
  const rows = await tx.query<Claim>(
    `insert into orders (id, owner_id, idempotency_key, request_hash, lines, payment_method,
       capture_method, expected_total, pricing_version, shipping_address, expires_at, created_at,
       status, payment_status, fulfillment_status, updated_at)
     select id, owner_id, idempotency_key, request_hash, lines, payment_method,
       capture_method, expected_total, pricing_version, shipping_address, expires_at, created_at,
       'pending', payment_status, 'not_fulfilled', created_at
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::text[],
       $7::text[], $8::jsonb[], $9::int[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[],
       $13::text[]) as new (id, owner_id, idempotency_key, request_hash, lines, payment_method,
       capture_method, expected_total, pricing_version, shipping_address, expires_at, created_at,
       payment_status)
     where not ${isErasedSql('new.owner_id')}
     on conflict do nothing
     returning id, owner_id as "ownerId", idempotency_key as "idempotencyKey",
       request_hash as "requestHash"`,
    [
      column(sorted, (order) => order.id),
      column(sorted, (order) => order.ownerId),
      column(sorted, (order) => order.idempotencyKey),
      column(sorted, (order) => order.requestHash),
      column(sorted, (order) => json(order.lines)),
      column(sorted, (order) => order.paymentMethod),
      column(sorted, (order) => order.captureMethod),
      column(sorted, (order) => json(order.expectedTotal)),
      column(sorted, (order) => order.pricingVersion),
      column(sorted, (order) => json(order.shippingAddress)),
      column(sorted, (order) => order.expiresAt),
      column(sorted, (order) => order.createdAt),
      column(sorted, (order) => order.paymentStatus),
    ],
  )
  return new Set(rows.map(claimOf))
}

// Keys are unique per owner and ids on their own; two batches must meet both in one order.
const claimKey = (order: Order) => `${order.ownerId} ${order.idempotencyKey ?? ''} ${order.id}`
const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b))

/** The orders that hold one of these ids, or one of these (owner, key) pairs. */
export async function findHolders(tx: Tx, wanted: Order[]): Promise<Order[]> {
  const rows = await tx.query<OrderRow>(
    `select * from orders where id = any($1)
     union
     select orders.* from orders
     join unnest($2::text[], $3::text[]) as wanted (owner_id, key)
       on orders.owner_id = wanted.owner_id and orders.idempotency_key = wanted.key`,
    [
      column(wanted, (order) => order.id),
      column(wanted, (order) => order.ownerId),
      column(wanted, (order) => order.idempotencyKey),
    ],
  )
  return rows.map(toOrder)
}

export async function findOrders(tx: Tx, ids: string[]): Promise<Map<string, Order>> {
  const rows = await tx.query<OrderRow>('select * from orders where id = any($1)', [ids])
  return new Map(rows.map((row) => [row.id, toOrder(row)]))
}

type WrittenRow = Pick<OrderRow, 'id' | 'priced_lines' | 'totals' | 'payment_id'> & {
  no_address: boolean
  no_method: boolean
}

/** A status that the stored order must still be in for `order` to be written over it. */
export type OrderWrite = { order: Order; from: OrderStatus }

/** Locks orders in id order. A statement of its own: joined to the update it would be read once per order. */
export function lockOrders(tx: Transaction, ids: string[]): void {
  tx.send('select from orders where id = any($1) order by id for update', [ids])
}

/** The same, and what is stored of their payments. */
export async function lockPaymentsOf(tx: Tx, ids: string[]): Promise<Map<string, KnownPayment>> {
  const rows = await tx.query<
    Pick<OrderRow, 'id' | 'payment_id' | 'payment_status' | 'next_action'>
  >(
    `select id, payment_id, payment_status, next_action from orders where id = any($1)
     order by id for update`,
    [ids],
  )
  return new Map(
    rows.map(({ id, payment_id, payment_status, next_action }) => [
      id,
      { paymentId: payment_id, paymentStatus: payment_status, nextAction: next_action },
    ]),
  )
}

/**
 * Writes the changing part of each order on condition of the status it leaves; ids must differ, and
 * their rows are locked. What was quoted and which payment it is never changes once known, and
 * a writer who doesn't know leaves it. Returns the rows that were still in that status, as written.
 */
export async function updateOrders(
  tx: Transaction,
  writes: OrderWrite[],
  now: Date,
): Promise<Map<string, Order>> {
  const orders = writes.map(({ order }) => order)
  const ids = column(orders, (order) => order.id)
  const rows = await tx.query<WrittenRow>(
    `update orders set status = new.status, payment_status = new.payment_status,
       fulfillment_status = new.fulfillment_status,
       priced_lines = coalesce(new.priced_lines, orders.priced_lines),
       totals = coalesce(new.totals, orders.totals),
       payment_id = coalesce(new.payment_id, orders.payment_id), cancel_reason = new.cancel_reason,
       decline_code = new.decline_code, next_action = new.next_action,
       confirmed_at = new.confirmed_at, updated_at = $13,
       shipping_address = ${keptOf('shipping_address')},
       payment_method = ${keptOf('payment_method')}
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[],
         $7::jsonb[], $8::text[], $9::text[], $10::text[], $11::jsonb[], $12::timestamptz[])
       as new (id, from_status, status, payment_status, fulfillment_status, priced_lines,
         totals, payment_id, cancel_reason, decline_code, next_action, confirmed_at)
     where orders.id = new.id and orders.status = new.from_status
     returning orders.id, orders.payment_id, orders.shipping_address is null as no_address,
       orders.payment_method is null as no_method,
       case when new.priced_lines is null then orders.priced_lines end as priced_lines,
       case when new.totals is null then orders.totals end as totals`,
    [
      ids,
      writes.map(({ from }) => from),
      column(orders, (order) => order.status),
      column(orders, (order) => order.paymentStatus),
      column(orders, (order) => order.fulfillmentStatus),
      column(orders, (order) => json(order.pricedLines)),
      column(orders, (order) => json(order.totals)),
      column(orders, (order) => order.paymentId),
      column(orders, (order) => order.cancelReason),
      column(orders, (order) => order.declineCode),
      column(orders, (order) => json(order.nextAction)),
      column(orders, (order) => order.confirmedAt),
      now,
    ],
  )
  // The rest of a row never changes, is what was just written, or nobody asks for it any more.
  const written = new Map(rows.map((row) => [row.id, row]))
  const stored = orders.flatMap((order): Order[] => {
    const row = written.get(order.id)
    if (row === undefined) return []
    const known = {
      pricedLines: order.pricedLines ?? row.priced_lines,
      totals: order.totals ?? row.totals,
      paymentId: row.payment_id,
      shippingAddress: row.no_address ? null : order.shippingAddress,
      paymentMethod: row.no_method ? null : order.paymentMethod,
    }
    return [{ ...order, ...known, updatedAt: now }]
  })
  return new Map(stored.map((order) => [order.id, order]))
}

export type ListFilter = {
  ownerId: string | undefined
  status: string | undefined
  before: number | undefined
  limit: number
}

/** Orders, newest first, with the position that a cursor continues from. */
export async function listOrders(
  tx: Tx,
  { ownerId, status, before, limit }: ListFilter,
): Promise<{ order: Order; position: number }[]> {
  // One text per combination of filters, so that each gets a plan of its own.
  const filters = [
    { condition: 'owner_id =', value: ownerId },
    { condition: 'status =', value: status },
    { condition: 'position <', value: before },
  ].filter(({ value }) => value !== undefined)
  const where = filters.map(({ condition }, index) => `${condition} $${index + 2}`).join(' and ')
  const rows = await tx.query<OrderRow>(
    `select * from orders ${where === '' ? '' : `where ${where}`} order by position desc limit $1`,
    [limit, ...filters.map(({ value }) => value)],
  )
  return rows.map((row) => ({ order: toOrder(row), position: row.position }))
}
