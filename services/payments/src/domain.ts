/** Owns what a payment is, how it moves, and what is to be asked of the provider next. Pure. */
import type { PAYMENT_STATUSES } from './contract/schemas.ts'

export type PaymentStatus = (typeof PAYMENT_STATUSES)[number]
type NextAction = { type: string; url: string }

/** All that is stored of a payment. Amounts in minor units; a tombstone has no amount. */
export type Payment = {
  id: string
  orderId: string | null
  ownerId: string
  amount: number | null
  currency: string | null
  captureMethod: 'automatic' | 'manual'
  /** Opened without a method: a decline leaves it open for another (rule 9). */
  paysLater: boolean
  createdAt: Date

  status: PaymentStatus
  paymentMethod: string | null
  /** Counts the charges that were tried; the provider's key is made of it. 0: none yet. */
  attempt: number
  /** Everything is to be undone; set once, never taken back (rule 8). */
  undo: boolean
  /** What is to be captured of an authorised payment, once that was asked for. */
  captureAmount: number | null
  amountCapturable: number
  amountReceived: number
  /** Received money that refunds have claimed, whether or not the provider has confirmed them. */
  refundsClaimed: number
  amountRefunded: number
  code: string | null
  nextAction: NextAction | null
  /** Later with each change, whatever the clock says. */
  updatedAt: Date
}

type RefundStatus = 'pending' | 'succeeded' | 'failed' | 'canceled'
export type Refund = {
  id: string
  paymentId: string
  amount: number
  status: RefundStatus
  reason: string | null
  createdAt: Date
  updatedAt: Date
}

/** The state machine: forward only, whatever arrives late (rule 9). What isn't here can't happen. */
const TRANSITIONS: Record<PaymentStatus, readonly PaymentStatus[]> = {
  requires_payment_method: ['processing', 'canceled'],
  requires_confirmation: ['processing', 'canceled'],
  processing: [
    'requires_action',
    'requires_capture',
    'succeeded',
    'failed',
    'canceled',
    'requires_payment_method',
  ],
  requires_action: [
    'processing',
    'requires_capture',
    'succeeded',
    'failed',
    'canceled',
    'requires_payment_method',
  ],
  requires_capture: ['succeeded', 'canceled'],
  // Only an undo moves these, when nothing is held and all is given back.
  succeeded: ['canceled'],
  failed: ['canceled'],
  canceled: [],
}

export const canMove = (from: PaymentStatus, to: PaymentStatus): boolean =>
  TRANSITIONS[from].includes(to)

/**
 * Whether nothing has become of a payment yet that whoever opened it could have been told: what then
 * becomes of it is the answer to his own request, which he repeats until he has it.
 */
export const isUnanswered = ({ status, paysLater, createdAt, updatedAt }: Payment): boolean =>
  status === 'processing' && !paysLater && updatedAt.getTime() === createdAt.getTime()

/** The provider's key of the charge under way: payment and attempt (rule 9). */
export const chargeKeyOf = ({ id, attempt }: Payment): string => `${id}-${attempt}`

/** How a charge stands at the provider; amounts in minor units. */
export type ChargeState = {
  key: string
  status:
    | 'succeeded'
    | 'requires_capture'
    | 'requires_action'
    | 'processing'
    | 'declined'
    | 'canceled'
  amountCaptured: number
  code: string | null
  nextAction: NextAction | null
}

/** Whether the provider has something to say of a payment's charge: what is charged or declined stays so. */
export const waitsForCharge = (status: PaymentStatus): boolean =>
  status === 'processing' || status === 'requires_action' || status === 'requires_capture'

/** A payment after the provider told how its charge stands. What is older than what we know changes nothing. */
export function observeCharge(payment: Payment, charge: ChargeState): Payment {
  if (charge.key !== chargeKeyOf(payment) || !waitsForCharge(payment.status)) return payment
  const next = statusAfter(payment, charge)
  if (!canMove(payment.status, next)) return payment
  return {
    ...payment,
    status: next,
    code: charge.status === 'declined' ? charge.code : null,
    nextAction: next === 'requires_action' ? charge.nextAction : null,
    amountCapturable: next === 'requires_capture' ? (payment.amount ?? 0) : 0,
    amountReceived: next === 'succeeded' ? charge.amountCaptured : 0,
  }
}

function statusAfter(payment: Payment, charge: ChargeState): PaymentStatus {
  switch (charge.status) {
    case 'declined':
      // A decline of a direct checkout ends it; one that pays later may try another card (rule 9).
      return payment.paysLater ? 'requires_payment_method' : 'failed'
    case 'processing':
    case 'succeeded':
    case 'requires_capture':
    case 'requires_action':
    case 'canceled':
      return charge.status
  }
}

/** A payment and its refund after the provider decided on the refund; a failed one gives back its claim. */
export function observeRefund(
  payment: Payment,
  refund: Refund,
  outcome: { status: 'succeeded' | 'failed'; reason: string | null },
): { payment: Payment; refund: Refund } {
  if (refund.status !== 'pending') return { payment, refund }
  const { amount } = refund
  const changed =
    outcome.status === 'succeeded'
      ? { ...payment, amountRefunded: payment.amountRefunded + amount }
      : { ...payment, refundsClaimed: payment.refundsClaimed - amount }
  return { payment: changed, refund: { ...refund, ...outcome } }
}

/** Received money that no refund has claimed yet. */
export const refundableOf = ({ amountReceived, refundsClaimed }: Payment): number =>
  amountReceived - refundsClaimed

/** The same payment with its undo written; nothing changes when it was before. */
export const undone = (payment: Payment): Payment =>
  payment.undo ? payment : { ...payment, undo: true }

const ACTION_TTL_MS = 24 * 3_600_000

/** Gives up waiting for a buyer who never acts. An order's payment waits as long as its order does. */
export function giveUpWaiting(payment: Payment, nowMs: number): Payment {
  const { status, orderId, updatedAt } = payment
  const isWaiting = status === 'requires_action' && orderId === null
  return isWaiting && nowMs - updatedAt.getTime() > ACTION_TTL_MS ? undone(payment) : payment
}

/**
 * Takes an undo as far as it goes without the provider: what never reached it is canceled, what was
 * charged and fully given back too, and what is charged claims a refund of the rest, in minor units.
 */
export function advanceUndo(payment: Payment): { payment: Payment; refundAmount: number } {
  const stay = { payment, refundAmount: 0 }
  if (!payment.undo) return stay
  const canceled: Payment = { ...payment, status: 'canceled', nextAction: null }
  switch (payment.status) {
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'failed':
      return { payment: canceled, refundAmount: 0 }
    case 'succeeded': {
      if (payment.amountRefunded === payment.amountReceived) {
        return { payment: canceled, refundAmount: 0 }
      }
      const refundAmount = refundableOf(payment)
      const refundsClaimed = payment.amountReceived
      return { payment: { ...payment, refundsClaimed }, refundAmount }
    }
    case 'processing':
    case 'requires_action':
    case 'requires_capture':
    case 'canceled':
      return stay
  }
}

/** What is to be asked of the provider; every call may be repeated by its key. */
export type Call =
  | { kind: 'charge'; payment: Payment }
  | { kind: 'lookup'; payment: Payment }
  | { kind: 'cancel'; payment: Payment }
  | { kind: 'capture'; payment: Payment; amount: number }
  | { kind: 'refund'; payment: Payment; refund: Refund }

/** The next calls for a payment, none when the provider has nothing more to tell (rule 10). */
export function nextCalls(payment: Payment, refunds: Refund[]): Call[] {
  switch (payment.status) {
    case 'processing':
      return [{ kind: payment.undo ? 'cancel' : 'charge', payment }]
    case 'requires_action':
      return [{ kind: payment.undo ? 'cancel' : 'lookup', payment }]
    case 'requires_capture':
      if (payment.undo) return [{ kind: 'cancel', payment }]
      if (payment.captureAmount === null) return []
      return [{ kind: 'capture', payment, amount: payment.captureAmount }]
    case 'succeeded':
      return refunds
        .filter(({ status }) => status === 'pending')
        .map((refund) => ({ kind: 'refund', payment, refund }))
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'canceled':
    case 'failed':
      return []
  }
}

/** Where money is from and goes to outside of the shop. */
export const WORLD = 'world'
const accountOf = (paymentId: string): string => `payments:${paymentId}`

/** One movement of money, from `source` to `destination`, booked once under its id. */
export type Booking = {
  id: string
  kind: 'charge' | 'refund'
  paymentId: string
  source: string
  destination: string
  amount: number
  currency: string
}

/** The bookings of a payment's change: what was received since, and the refunds that have just succeeded. */
export function bookingsOf(before: Payment, after: Payment, refunded: Refund[]): Booking[] {
  const { id: paymentId, currency } = after
  if (currency === null) return []
  const received = after.amountReceived - before.amountReceived
  const account = accountOf(paymentId)
  const base = { paymentId, currency }
  const charge: Booking = {
    ...base,
    id: `charge:${chargeKeyOf(after)}`,
    kind: 'charge',
    source: WORLD,
    destination: account,
    amount: received,
  }
  const refunds = refunded.map((refund): Booking => ({
    ...base,
    id: `refund:${refund.id}`,
    kind: 'refund',
    source: account,
    destination: WORLD,
    amount: refund.amount,
  }))
  return received > 0 ? [charge, ...refunds] : refunds
}
