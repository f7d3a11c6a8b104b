/** Owns what an order is: its states, the one table of moves between them, and its money. Pure. */
import { MAX_AMOUNT, type Money } from '@quartet/kit/schema'
import type { CANCEL_REASONS, ORDER_STATUSES, OrderResource, PlaceOrderBody } from './contract.ts'

export type OrderStatus = (typeof ORDER_STATUSES)[number]
export type CancelReason = (typeof CANCEL_REASONS)[number]
type FulfillmentStatus = OrderResource['fulfillment_status']
export type NextAction = { type: string; url: string }

/** A line as asked for. */
type Line = { product_id: string; quantity: number }
/** A line as products quoted it: `unit_price` in minor units of the order's currency. */
export type PricedLine = Line & { name: string; unit_price: number }

/** Amounts in minor units of `currency`. */
export type Totals = {
  currency: string
  subtotal: number
  discount_total: number
  shipping_total: number
  tax_total: number
  total: number
}

/** All that is stored of an order. The first block never changes; re-driving needs nothing else (rule 5). */
export type Order = {
  id: string
  ownerId: string
  idempotencyKey: string | null
  requestHash: string
  lines: Line[]
  paymentMethod: string | null
  captureMethod: 'automatic' | 'manual'
  expectedTotal: Money | null
  pricingVersion: number
  shippingAddress: PlaceOrderBody['shipping_address'] | null
  expiresAt: Date
  createdAt: Date

  status: OrderStatus
  paymentStatus: string
  fulfillmentStatus: FulfillmentStatus
  pricedLines: PricedLine[] | null
  totals: Totals | null
  paymentId: string | null
  cancelReason: CancelReason | null
  declineCode: string | null
  nextAction: NextAction | null
  confirmedAt: Date | null
  updatedAt: Date
}

/** The state machine (rule 6). What isn't here can't happen. */
export const TRANSITIONS: Record<OrderStatus, readonly OrderStatus[]> = {
  pending: ['confirmed', 'canceled', 'canceling'],
  confirmed: ['completed', 'canceling'],
  canceling: ['canceled'],
  completed: [],
  canceled: [],
}

/** The order in its next state; throws when the table has no such move: that is a bug, not bad input. */
export function moveTo(order: Order, status: OrderStatus, changes: Partial<Order> = {}): Order {
  if (!TRANSITIONS[order.status].includes(status)) {
    throw new Error(`order ${order.id} cannot move from ${order.status} to ${status}`)
  }
  return { ...order, ...changes, status }
}

/** The version of `priceLines` below; an order is priced by the version it was placed with. */
export const PRICING_VERSION = 1

/** The totals of quoted lines, or undefined when they exceed the largest amount. */
export function priceLines(lines: PricedLine[], currency: string): Totals | undefined {
  const subtotal = lines.reduce((sum, line) => sum + line.unit_price * line.quantity, 0)
  if (subtotal > MAX_AMOUNT) return undefined
  return {
    currency,
    subtotal,
    discount_total: 0,
    shipping_total: 0,
    tax_total: 0,
    total: subtotal,
  }
}

/** Whether a total is what the customer said to expect; without an expectation it always is. */
export function isExpected(expected: Money | null, { total, currency }: Totals): boolean {
  return expected === null || (expected.amount === total && expected.currency === currency)
}

/** Of an order that was placed. Also of one that is to be paid later: until payments has it nobody can pay it. */
export const INITIAL_PAYMENT_STATUS = 'processing'

/** Whether `status` needs no more driving. */
export const isSettled = (status: OrderStatus): boolean =>
  status === 'confirmed' || status === 'completed' || status === 'canceled'

/** Whether nothing will change until the customer does something. */
export const waitsForCustomer = ({ status, paymentStatus }: Order): boolean =>
  status === 'pending' && WAITING_FOR_CUSTOMER.includes(paymentStatus)

/** What an order has stored of its payment. */
export type KnownPayment = Pick<Order, 'paymentId' | 'paymentStatus' | 'nextAction'>

/** Whether an order waits for its customer who was not told so before: it did not, or for something else. */
export const asksAnew = (before: KnownPayment, order: Order): boolean =>
  waitsForCustomer(order) &&
  (before.paymentId === null ||
    before.paymentStatus !== order.paymentStatus ||
    before.nextAction?.url !== order.nextAction?.url)

/** Payment statuses that only the customer can end. */
export const WAITING_FOR_CUSTOMER = ['requires_action', 'requires_payment_method']
