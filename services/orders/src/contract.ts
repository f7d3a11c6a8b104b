/** Owns what others may know of orders: its routes and its resources, as schemas. */
import { createRoute, z } from '@hono/zod-openapi'
import { body, header, idInPath, json, keyHeader, problem, security } from '@quartet/kit/openapi'
import { id, money, page, pageQuery, text, timestamp } from '@quartet/kit/schema'

/** Lines an order, at most. */
export const MAX_LINES = 100
/** Units a line, at most. */
export const MAX_QUANTITY = 1_000_000

/** See domain.ts for the moves between them. */
export const ORDER_STATUSES = [
  'pending',
  'confirmed',
  'completed',
  'canceling',
  'canceled',
] as const

/** Why an order was canceled. `conflict`: a neighbour holds another order's answer under this id. */
export const CANCEL_REASONS = [
  'insufficient_stock',
  'product_unavailable',
  'payment_declined',
  'payment_expired',
  'requested_by_customer',
  'price_changed',
  'amount_too_large',
  'conflict',
] as const

const addressFields = {
  name: text(200),
  line1: text(200),
  line2: text(200).optional(),
  city: text(100),
  region: text(100).optional(),
  postal_code: text(20),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be an ISO 3166-1 alpha-2 code such as DE')
    .openapi({ example: 'DE' }),
}

/** A payment provider's token for a way to pay, such as `pm_card_visa`; never a card number. */
const paymentMethod = () =>
  z
    .string()
    .regex(/^pm_[A-Za-z0-9_]{1,60}$/, 'must be a token of the payment provider: pm_…')
    .openapi({ example: 'pm_card_visa' })

const line = z.strictObject({
  product_id: id(),
  quantity: z.int().min(1).max(MAX_QUANTITY),
})

/** What a customer sends. Prices, owner and status can't be sent. */
export const placeOrderSchema = z
  .strictObject({
    id: id().optional(),
    line_items: z.array(line).min(1).max(MAX_LINES).superRefine(refuseDuplicates),
    payment_method: paymentMethod().optional(),
    capture_method: z.enum(['automatic', 'manual']).default('automatic'),
    expected_total: money().optional(),
    shipping_address: z.strictObject(addressFields).optional(),
  })
  .openapi('PlaceOrder')

export type PlaceOrderBody = z.output<typeof placeOrderSchema>

function refuseDuplicates(lines: { product_id: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>()
  for (const [index, { product_id }] of lines.entries()) {
    if (seen.has(product_id)) {
      const message = 'is on an earlier line: send one line a product'
      context.addIssue({ code: 'custom', path: [index, 'product_id'], message })
    }
    seen.add(product_id)
  }
}

const amount = z.object({ amount: z.int(), currency: z.string() })

/** An order. Amounts are null until products has quoted its prices. */
export const orderSchema = z
  .object({
    id: z.string(),
    owner_id: z.string(),
    status: z.enum(ORDER_STATUSES),
    payment_status: z.string(),
    fulfillment_status: z.enum(['not_fulfilled', 'fulfilled', 'canceled']),
    line_items: z.array(
      z.object({
        product_id: z.string(),
        name: z.string().nullable(),
        quantity: z.int(),
        unit_price: amount.nullable(),
        total: amount.nullable(),
      }),
    ),
    subtotal: amount.nullable(),
    discount_total: amount.nullable(),
    shipping_total: amount.nullable(),
    tax_total: amount.nullable(),
    total: amount.nullable(),
    payment_id: z.string().nullable(),
    payment_method: z.string().nullable(),
    capture_method: z.enum(['automatic', 'manual']),
    cancel_reason: z.enum(CANCEL_REASONS).nullable(),
    decline_code: z.string().nullable(),
    next_action: z.object({ type: z.string(), url: z.string() }).nullable(),
    shipping_address: z.object(addressFields).nullable(),
    expires_at: timestamp().nullable(),
    created_at: timestamp(),
    updated_at: timestamp(),
  })
  .openapi('Order')

export type OrderResource = z.input<typeof orderSchema>

const tags = ['orders']

export const routes = {
  place: createRoute({
    method: 'post',
    path: '/orders',
    tags,
    security,
    summary: 'Place an order and wait for its end',
    description:
      'Reserves the stock, pays, and answers with the confirmed order. Without `payment_method` ' +
      'the stock is held until the order is paid by POST /payments or expires.',
    parameters: [keyHeader],
    request: { body: body(placeOrderSchema) },
    responses: {
      201: json(orderSchema, 'Confirmed'),
      202: json(orderSchema, 'Accepted: still pending, completes by itself or waits for the buyer'),
      402: problem('`payment_declined`, with `order_id` and `decline_code`'),
      409: problem('`insufficient_stock`, `product_unavailable`, `price_changed`, `id_taken` …'),
      422: problem('`idempotency_key_reused`'),
      503: problem('Too many orders are open; nothing was placed'),
    },
  }),
  read: createRoute({
    method: 'get',
    path: '/orders/{id}',
    tags,
    security,
    summary: 'Read an order',
    request: { params: idInPath },
    responses: { 200: json(orderSchema, 'The order'), 404: problem('Order not found') },
  }),
  events: createRoute({
    method: 'get',
    path: '/orders/{id}/events',
    tags,
    security,
    summary: "Stream an order's life (Server-Sent Events)",
    description:
      'What has happened is told first, then what happens, as it happens: `order.placed.v1`, ' +
      '`order.action_required.v1`, `order.confirmed.v1`, `order.completed.v1`, `order.canceled.v1`. ' +
      '`id` is the number of the event, `data` the order as it is now, on one line. The stream ends ' +
      'after the last event, and now and then; EventSource then resumes by itself.',
    parameters: [header('Last-Event-ID', 'The last message that was received: go on after it.')],
    request: { params: idInPath },
    responses: {
      200: {
        description: 'The stream',
        content: { 'text/event-stream': { schema: z.string() } },
      },
      204: { description: 'The order has ended, and nothing is left to tell: EventSource stops' },
      404: problem('Order not found'),
      429: problem('`too_many_streams`: one person has 20 open'),
      503: problem('`too_many_streams`: a replica has 1,000 open'),
    },
  }),
  list: createRoute({
    method: 'get',
    path: '/orders',
    tags,
    security,
    summary: "List orders, newest first: one's own, or everyone's for an admin",
    request: {
      query: z.object({
        ...pageQuery,
        status: z.enum(ORDER_STATUSES).optional(),
        owner_id: id().optional(),
      }),
    },
    responses: { 200: json(page(orderSchema), 'A page of orders') },
  }),
  cancel: createRoute({
    method: 'post',
    path: '/orders/{id}/cancel',
    tags,
    security,
    summary: 'Cancel an order that is not fulfilled: releases its stock and refunds its payment',
    parameters: [keyHeader],
    request: { params: idInPath },
    responses: {
      200: json(orderSchema, 'Canceled'),
      202: json(orderSchema, 'Canceling: the way back is under way and will be completed'),
      404: problem('Order not found'),
      409: problem('`invalid_transition`: the order is fulfilled'),
    },
  }),
  fulfill: createRoute({
    method: 'post',
    path: '/orders/{id}/fulfill',
    tags,
    security,
    summary: 'Mark a confirmed order as fulfilled (admin)',
    parameters: [keyHeader],
    request: { params: idInPath },
    responses: {
      200: json(orderSchema, 'Completed'),
      404: problem('Order not found'),
      409: problem('`invalid_transition`: the order is not confirmed'),
    },
  }),
} as const
