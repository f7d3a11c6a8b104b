/** Owns the shapes of payments' resources and commands. */
import { z } from '@hono/zod-openapi'
import { currency, id, MAX_AMOUNT, money, timestamp } from '@quartet/kit/schema'

/** Orders a command, at most. */
export const MAX_ITEMS = 1_000

export const PAYMENT_STATUSES = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
  'processing',
  'requires_capture',
  'succeeded',
  'canceled',
  'failed',
] as const

const CAPTURE_METHODS = ['automatic', 'manual'] as const

/** A payment provider's token for a way to pay, such as `pm_card_visa`; never a card number. */
const paymentMethod = () =>
  z
    .string()
    .regex(/^pm_[A-Za-z0-9_]{1,60}$/, 'must be a token of the payment provider: pm_…')
    .openapi({ example: 'pm_card_visa' })

/** A payment of one's own; with `order_id` a method for that order's open payment, whose amount is known. */
export const createPaymentSchema = z
  .strictObject({
    id: id().optional(),
    amount: money(1).optional(),
    payment_method: paymentMethod(),
    capture_method: z.enum(CAPTURE_METHODS).optional(),
    order_id: id().optional(),
  })
  .superRefine(({ order_id, id: own, amount: wanted, capture_method }, context) => {
    if (order_id === undefined) {
      const missing = 'may only be left out with order_id'
      if (wanted === undefined)
        context.addIssue({ code: 'custom', path: ['amount'], message: missing })
      return
    }
    const message = 'is that of the order: leave it out'
    if (own !== undefined) context.addIssue({ code: 'custom', path: ['id'], message })
    if (capture_method !== undefined) {
      context.addIssue({ code: 'custom', path: ['capture_method'], message })
    }
  })
  .openapi('CreatePayment')
export type CreatePaymentBody = z.output<typeof createPaymentSchema>

export const movePaymentSchema = z
  .strictObject({
    status: z.enum(PAYMENT_STATUSES),
    /** Of a capture: less than authorised, if so wished. */
    amount_to_capture: money(1).optional(),
  })
  .superRefine(({ status, amount_to_capture }, context) => {
    if (amount_to_capture === undefined || status === 'succeeded') return
    const message = 'is for a capture: status succeeded'
    context.addIssue({ code: 'custom', path: ['amount_to_capture'], message })
  })
  .openapi('MovePayment')

export const createRefundSchema = z
  .strictObject({ id: id().optional(), amount: money(1).optional() })
  .openapi('CreateRefund')

const amount = z.object({ amount: z.int(), currency: z.string() })
const nextAction = z.object({ type: z.string(), url: z.string() })

export const paymentSchema = z
  .object({
    id: z.string(),
    order_id: z.string().nullable(),
    owner_id: z.string(),
    amount,
    status: z.enum(PAYMENT_STATUSES),
    capture_method: z.enum(CAPTURE_METHODS),
    payment_method: z.string().nullable(),
    amount_capturable: z.int(),
    amount_received: z.int(),
    amount_refunded: z.int(),
    attempt: z.int(),
    code: z.string().nullable(),
    next_action: nextAction.nullable(),
    created_at: timestamp(),
    updated_at: timestamp(),
  })
  .openapi('Payment')
export type PaymentResource = z.input<typeof paymentSchema>

export const refundSchema = z
  .object({
    id: z.string(),
    payment_id: z.string(),
    amount,
    status: z.enum(['pending', 'succeeded', 'failed', 'canceled']),
    reason: z.string().nullable(),
    created_at: timestamp(),
    updated_at: timestamp(),
  })
  .openapi('Refund')
export type RefundResource = z.input<typeof refundSchema>

/** What went into and came out of an account, in minor units; `balance` is input − output. Exact up to 2^53. */
export const accountSchema = z
  .object({
    account: z.string(),
    currency: z.string(),
    input: z.int(),
    output: z.int(),
    balance: z.int(),
  })
  .openapi('LedgerAccount')

export const transactionSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['charge', 'refund']),
    payment_id: z.string(),
    postings: z.array(
      z.object({
        source: z.string(),
        destination: z.string(),
        amount: z.int(),
        currency: z.string(),
      }),
    ),
    created_at: timestamp(),
  })
  .openapi('LedgerTransaction')

export const webhookReceiptSchema = z
  .object({ received: z.literal(true) })
  .openapi('WebhookReceipt')

/**
 * Pays for an order, once. Fingerprint: owner, amount, currency. Without `payment_method` the
 * payment is opened and waits for one.
 */
export const payItemSchema = z.object({
  order_id: id(),
  owner_id: id(),
  amount: z.object({ amount: z.int().min(0).max(MAX_AMOUNT), currency: currency() }),
  payment_method: paymentMethod().nullable(),
  capture_method: z.enum(CAPTURE_METHODS),
})
export type PayItem = z.output<typeof payItemSchema>

/** Undoes whatever an order's payment has done, or will do. */
export const voidItemSchema = z.object({ order_id: id(), owner_id: id() })
export type VoidItem = z.output<typeof voidItemSchema>

/**
 * Final: `succeeded`, `requires_capture` (authorised), `declined`, `canceled` (undone), `conflict`
 * (another order's answer stands under this id). Amounts in minor units.
 */
export const payOutcomeSchema = z
  .object({
    order_id: z.string(),
    payment_id: z.string().nullable(),
    outcome: z.enum([
      'succeeded',
      'requires_capture',
      'processing',
      'requires_action',
      'requires_payment_method',
      'declined',
      'canceled',
      'conflict',
      'invalid',
    ]),
    amount_received: z.int(),
    amount_capturable: z.int(),
    currency: z.string().nullable(),
    code: z.string().nullable(),
    next_action: nextAction.nullable(),
  })
  .openapi('PayOutcome')
export type PayOutcome = z.output<typeof payOutcomeSchema>

/** `canceled` only when nothing is held and all that was charged is given back. */
export const voidOutcomeSchema = z
  .object({
    order_id: z.string(),
    payment_id: z.string().nullable(),
    outcome: z.enum(['canceled', 'processing', 'conflict', 'invalid']),
    amount_refunded: z.int(),
  })
  .openapi('VoidOutcome')
export type VoidOutcome = z.output<typeof voidOutcomeSchema>
