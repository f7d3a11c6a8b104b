/** Owns what a caller is told of an order: its resource, and the answer to POST /orders by its state. */
import type { Money } from '@quartet/kit/schema'
import { Problem, type ProblemKind } from '@quartet/kit/problem'
import type { OrderResource } from './contract.ts'
import type { CancelReason, Order, Totals } from './domain.ts'

/** The order as the API shows it. */
export function toResource(order: Order): OrderResource {
  const { totals } = order
  const money = (pick: (totals: Totals) => number): Money | null =>
    totals === null ? null : { amount: pick(totals), currency: totals.currency }
  return {
    id: order.id,
    owner_id: order.ownerId,
    status: order.status,
    payment_status: order.paymentStatus,
    fulfillment_status: order.fulfillmentStatus,
    line_items: toLineItems(order),
    subtotal: money((of) => of.subtotal),
    discount_total: money((of) => of.discount_total),
    shipping_total: money((of) => of.shipping_total),
    tax_total: money((of) => of.tax_total),
    total: money((of) => of.total),
    payment_id: order.paymentId,
    payment_method: order.paymentMethod,
    capture_method: order.captureMethod,
    cancel_reason: order.cancelReason,
    decline_code: order.declineCode,
    next_action: order.nextAction,
    shipping_address: order.shippingAddress ?? null,
    expires_at: order.status === 'pending' ? order.expiresAt.toISOString() : null,
    created_at: order.createdAt.toISOString(),
    updated_at: order.updatedAt.toISOString(),
  }
}

function toLineItems({ lines, pricedLines, totals }: Order): OrderResource['line_items'] {
  if (pricedLines === null || totals === null) {
    return lines.map((line) => ({ ...line, name: null, unit_price: null, total: null }))
  }
  const { currency } = totals
  return pricedLines.map(({ product_id, name, quantity, unit_price }) => ({
    product_id,
    name,
    quantity,
    unit_price: { amount: unit_price, currency },
    total: { amount: unit_price * quantity, currency },
  }))
}

type Refusal = { kind: ProblemKind; title: string; code?: string }

const REFUSALS: Record<CancelReason, Refusal> = {
  insufficient_stock: { kind: 'conflict', title: 'Not enough stock' },
  product_unavailable: { kind: 'conflict', title: 'A product is not available' },
  price_changed: { kind: 'conflict', title: 'The total is not the expected one' },
  amount_too_large: { kind: 'conflict', title: 'The total is larger than can be charged' },
  payment_declined: { kind: 'payment_required', title: 'The payment was declined' },
  payment_expired: { kind: 'conflict', title: 'The time to pay is over' },
  requested_by_customer: {
    kind: 'conflict',
    title: 'The order was canceled',
    code: 'order_canceled',
  },
  conflict: { kind: 'conflict', title: 'The order id is in use elsewhere' },
}

/**
 * The problem that answers POST /orders for an order that failed, whoever asks and however often; or
 * undefined when the order itself is the answer. An order that was confirmed once stays placed.
 */
export function refusalOf(order: Order, headers: Record<string, string>): Problem | undefined {
  const { id, status, cancelReason, confirmedAt, declineCode, totals } = order
  if (confirmedAt !== null || cancelReason === null) return undefined
  if (status !== 'canceled' && status !== 'canceling') return undefined
  const { kind, title, code = cancelReason } = REFUSALS[cancelReason]
  const total =
    totals === null ? {} : { total: { amount: totals.total, currency: totals.currency } }
  const declined = declineCode === null ? {} : { decline_code: declineCode }
  return new Problem(kind, title, {
    code,
    headers,
    detail: `Order ${id} is ${status}.`,
    members: { order_id: id, ...declined, ...(cancelReason === 'price_changed' ? total : {}) },
  })
}

/** The status of POST /orders where the order itself is the answer. */
export const statusOf = (order: Order): 201 | 202 => (order.confirmedAt === null ? 202 : 201)
