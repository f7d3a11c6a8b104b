/** Owns the HTTP API of the card processor as schemas: what a caller may send, and what it gets. */
import { z } from 'zod'

/** The most items in one batch. */
export const MAX_BATCH = 1_000

/** The largest amount of one charge, in minor units. */
export const MAX_AMOUNT = 1_000_000_000_000

/** A caller's own key of a charge or a refund: 1 to 200 printable ASCII characters without spaces. */
export const key = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters without spaces')

const amount = z.int().min(0).max(MAX_AMOUNT)
const currency = z.string().regex(/^[A-Z]{3}$/, 'must be three capital letters, such as USD')
const reference = z.string().min(1).max(200)

/** What the caller wants to find again in the record; opaque to the processor. */
export const metadata = z.strictObject({ payment_id: reference, order_id: reference.optional() })

/** `automatic` takes the money at once; `manual` only authorises it, to be captured later. */
export const captureMethod = z.enum(['automatic', 'manual'])

/**
 * One charge. `amount` is in the currency's minor unit; 0 is declined (`amount_too_small`).
 * `key` makes it idempotent for ever: the same key with the same other fields answers with the
 * charge's current state, with other fields it is a `conflict`.
 */
export const chargeRequest = z.strictObject({
  key,
  amount,
  currency,
  payment_method: z.string().min(1).max(255),
  capture_method: captureMethod,
  metadata,
})

/** Takes up to `amount` of an authorised charge, once; what is left is released. */
export const captureRequest = z.strictObject({ charge_key: key, amount: amount.min(1) })

/** Cancels a charge; one that was never seen is refused from then on (a tombstone). */
export const cancelRequest = z.strictObject({ charge_key: key })

/** Gives back a part of a captured charge, or all of it. Idempotent by `key`, which is not the charge's. */
export const refundRequest = z.strictObject({ key, charge_key: key, amount: amount.min(1) })

const batchOf = <Item extends z.ZodType>(item: Item) => z.array(item).min(1).max(MAX_BATCH)

/** The bodies of `POST /v1/…`: 1 to 1,000 items; a wrong one refuses the batch with 400. */
export const bodies = {
  charges: z.strictObject({ charges: batchOf(chargeRequest) }),
  captures: z.strictObject({ captures: batchOf(captureRequest) }),
  cancels: z.strictObject({ cancels: batchOf(cancelRequest) }),
  refunds: z.strictObject({ refunds: batchOf(refundRequest) }),
  lookups: z.strictObject({ keys: batchOf(key) }),
}

/**
 * How a charge stands. Final: `declined`, `canceled`, and `succeeded` (refunds aside).
 * `requires_capture` waits for a capture, `requires_action` for the customer at
 * `next_action.url`, `processing` for the processor itself.
 */
export const chargeStatus = z.enum([
  'succeeded',
  'requires_capture',
  'requires_action',
  'processing',
  'declined',
  'canceled',
])

/** Why a charge was declined (Stripe's names where it has one). */
export const declineCode = z.enum([
  'card_declined',
  'insufficient_funds',
  'expired_card',
  'fraudulent',
  'authentication_failed',
  'amount_too_small',
  'invalid_payment_method',
])

/**
 * The state of a charge. `amount` is what was asked for, in minor units; `amount_captured` and
 * `amount_refunded` are what moved. A tombstone (canceled before it was ever charged) has no
 * `charge_id` and no `currency`, and its amounts are 0.
 */
export const chargeOutcome = z.object({
  key,
  status: chargeStatus,
  charge_id: z.string().nullable(),
  amount,
  amount_captured: amount,
  amount_refunded: amount,
  currency: currency.nullable(),
  decline_code: declineCode.optional(),
  next_action: z.object({ type: z.literal('redirect'), url: z.url() }).optional(),
})

/** The key is in use for a request with other fields; nothing was done. */
export const conflictOutcome = z.object({ key, status: z.literal('conflict') })

/** Why a capture was refused. */
export const captureRefusal = z.enum([
  'unknown_charge',
  'exceeds_authorized',
  'already_captured',
  'not_capturable',
])

/** The capture was refused and changed nothing; `reason` says why. */
export const invalidOutcome = z.object({
  key,
  status: z.literal('invalid'),
  reason: captureRefusal,
})

/** Nothing has this key. It proves nothing: a charge may still be on its way. */
export const notFoundOutcome = z.object({ key, status: z.literal('not_found') })

/** Why a refund failed. */
export const refundFailure = z.enum(['unknown_charge', 'not_captured', 'exceeds_captured'])

/** A refund. `failed` is final for its key; `conflict`: the key belongs to another charge or amount. */
export const refundOutcome = z.object({
  key,
  charge_key: key,
  status: z.enum(['succeeded', 'failed', 'conflict']),
  refund_id: z.string().nullable(),
  amount,
  reason: refundFailure.optional(),
})

/**
 * The answers of `POST /v1/…`: an outcome per item, in the order of the items. A charge whose
 * answer gets lost (pm_card_lostAnswer) is left out: match by `key`, never by position.
 */
export const answers = {
  charges: z.object({ outcomes: z.array(z.union([chargeOutcome, conflictOutcome])) }),
  captures: z.object({ outcomes: z.array(z.union([chargeOutcome, invalidOutcome])) }),
  cancels: z.object({ outcomes: z.array(chargeOutcome) }),
  refunds: z.object({ outcomes: z.array(refundOutcome) }),
  lookups: z.object({ outcomes: z.array(z.union([chargeOutcome, notFoundOutcome])) }),
}

/** What a webhook may be about; more types may come. */
export const webhookType = z.enum([
  'charge.succeeded',
  'charge.requires_capture',
  'charge.declined',
  'charge.canceled',
])

/**
 * The body of a webhook: a charge as it was when this happened to it. `id` names the entry of the record,
 * so a repeat bears the same; `created` is in seconds since the epoch.
 */
export const webhookEvent = z.object({
  id: z.string().regex(/^evt_\d+$/),
  type: webhookType,
  created: z.int(),
  data: chargeOutcome.extend({ metadata }),
})

/** The query of `GET /v1/record`: entries after this sequence number, at most `limit`. */
export const recordQuery = z.strictObject({
  after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  limit: z.coerce.number().int().min(1).max(1_000).default(1_000),
})

const entryFields = { sequence: z.int().min(1), at: z.iso.datetime(), charge_key: key }
const charge = { charge_id: z.string(), currency, metadata }
const requested = {
  ...entryFields,
  ...charge,
  amount,
  payment_method: z.string(),
  capture_method: captureMethod,
}
const entry = <Type extends string, Fields extends z.ZodRawShape>(type: Type, fields: Fields) =>
  z.strictObject({ type: z.literal(type), ...fields })

/**
 * One thing that happened, numbered 1, 2, 3 … without gaps; `at` is UTC. `amount` is what the entry
 * is about: charged, authorised, captured, refunded; of a canceled or declined charge what was asked.
 * Money moves by `charged` and `captured` (in) and `refunded` (out), and by nothing else.
 */
export const recordEntry = z.discriminatedUnion('type', [
  entry('charged', requested),
  entry('authorized', requested),
  entry('declined', { ...requested, decline_code: declineCode }),
  entry('action_required', requested),
  /** The outcome comes at `due_at`, or with the next start after it. */
  entry('processing', { ...requested, due_at: z.iso.datetime() }),
  entry('captured', { ...entryFields, ...charge, amount: amount.min(1) }),
  entry('canceled', { ...entryFields, ...charge, amount }),
  /** Canceled before it was ever seen. */
  entry('tombstone', {
    ...entryFields,
    charge_id: z.null(),
    amount: z.literal(0),
    currency: z.null(),
    metadata: z.null(),
  }),
  entry('refunded', {
    ...entryFields,
    ...charge,
    amount: amount.min(1),
    refund_key: key,
    refund_id: z.string(),
  }),
  entry('refund_failed', {
    ...entryFields,
    charge_id: z.string().nullable(),
    currency: currency.nullable(),
    metadata: metadata.nullable(),
    amount: amount.min(1),
    refund_key: key,
    reason: refundFailure,
  }),
])

/** A page of the durable record, oldest first; `next` is the `after` of the next page, null at the end. */
export const recordPage = z.object({ data: z.array(recordEntry), next: z.int().nullable() })

/**
 * What the record adds up to, per currency, as of entry `sequence`: `net` is captured − refunded;
 * `counts` is the number of charges by status. Sums are exact up to 2^53 minor units.
 */
export const totals = z.object({
  sequence: z.int().min(0),
  tombstones: z.int().min(0),
  data: z.array(
    z.object({
      currency,
      captured: z.int(),
      refunded: z.int(),
      net: z.int(),
      refunds: z.int(),
      counts: z.record(chargeStatus, z.int()),
    }),
  ),
})

export type ChargeRequest = z.output<typeof chargeRequest>
export type CaptureRequest = z.output<typeof captureRequest>
export type CancelRequest = z.output<typeof cancelRequest>
export type RefundRequest = z.output<typeof refundRequest>
export type ChargeStatus = z.output<typeof chargeStatus>
export type DeclineCode = z.output<typeof declineCode>
export type ChargeOutcome = z.output<typeof chargeOutcome>
export type ConflictOutcome = z.output<typeof conflictOutcome>
export type CaptureRefusal = z.output<typeof captureRefusal>
export type InvalidOutcome = z.output<typeof invalidOutcome>
export type NotFoundOutcome = z.output<typeof notFoundOutcome>
export type RefundOutcome = z.output<typeof refundOutcome>
export type RefundFailure = z.output<typeof refundFailure>
export type WebhookType = z.output<typeof webhookType>
export type WebhookEvent = z.output<typeof webhookEvent>
export type RecordEntry = z.output<typeof recordEntry>
export type RecordPage = z.output<typeof recordPage>
export type Totals = z.output<typeof totals>
