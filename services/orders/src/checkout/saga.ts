/** Owns the saga's decisions: (order, what is known) → what to do next. Pure; see decisions/002. */
import {
  isExpected,
  moveTo,
  priceLines,
  type CancelReason,
  type NextAction,
  type Order,
  type PricedLine,
  type Totals,
} from '../domain.ts'

/** What products says of an order's stock. `unknown`: no usable answer (rule 7). */
export type Reservation =
  | { outcome: 'reserved'; lines: PricedLine[]; currency: string }
  | { outcome: 'insufficient_stock' | 'product_unavailable' | 'released' | 'conflict' | 'unknown' }

/** What payments says of an order's payment; amounts in minor units. */
export type Payment = {
  outcome:
    | 'succeeded'
    | 'requires_capture'
    | 'requires_action'
    | 'requires_payment_method'
    | 'processing'
    | 'declined'
    | 'canceled'
    | 'conflict'
    | 'unknown'
  paymentId: string | null
  amountReceived: number
  amountCapturable: number
  code: string | null
  nextAction: NextAction | null
}

/** Whether an undo is acknowledged (rule 8); `refunded` in minor units where money had moved. */
export type Undo = { done: boolean; refunded: number }

/** Answers gathered in one drive. Nothing of it is kept: the next drive asks again by the same key. */
export type Known = { reservation?: Reservation; payment?: Payment; release?: Undo; void?: Undo }

export type Step =
  | { do: 'reserve' }
  | { do: 'pay'; order: Order; totals: Totals }
  | { do: 'undo' }
  /** Write `order` on condition that the stored one is still in status `from`. */
  | { do: 'write'; order: Order; from: Order['status'] }
  /** Come back later; `order` has what was learned. `idle`: only the customer can change something. */
  | { do: 'wait'; order: Order; idle: boolean }
  | { do: 'stop' }

/** The next step of an order's saga. Refusals end it at once; everything else is undone by the way back. */
export function decide(order: Order, known: Known, nowMs: number): Step {
  if (order.status === 'pending') return decideForward(order, known, nowMs)
  if (order.status === 'canceling') return decideBack(order, known)
  return { do: 'stop' }
}

function decideForward(order: Order, { reservation, payment }: Known, nowMs: number): Step {
  if (reservation === undefined) return { do: 'reserve' }
  switch (reservation.outcome) {
    case 'unknown':
      return { do: 'wait', order, idle: false }
    case 'insufficient_stock':
    case 'product_unavailable':
    case 'conflict':
      return refuse(order, reservation.outcome)
    case 'released':
      // Somebody turned this order back while we slept: writing it again loses the race, and stops us.
      return turnBack(order, 'conflict')
    case 'reserved':
      return decidePayment(order, reservation, payment, nowMs)
  }
}

function decidePayment(
  unpriced: Order,
  { lines, currency }: Extract<Reservation, { outcome: 'reserved' }>,
  payment: Payment | undefined,
  nowMs: number,
): Step {
  const totals = priceLines(lines, currency)
  if (totals === undefined) return turnBack(unpriced, 'amount_too_large')
  const order = { ...unpriced, pricedLines: lines, totals }
  if (!isExpected(order.expectedTotal, totals)) return turnBack(order, 'price_changed')
  if (payment === undefined) return { do: 'pay', order, totals }
  return decideByPayment(withPayment(order, payment), totals, payment, nowMs)
}

function decideByPayment(order: Order, totals: Totals, payment: Payment, nowMs: number): Step {
  switch (payment.outcome) {
    case 'succeeded':
      return confirmIf(order, payment.amountReceived === totals.total, nowMs)
    case 'requires_capture':
      return confirmIf(order, payment.amountCapturable === totals.total, nowMs)
    case 'declined':
      return turnBack({ ...order, declineCode: payment.code }, 'payment_declined')
    case 'canceled':
      return turnBack(order, 'payment_expired')
    case 'conflict':
      return turnBack(order, 'conflict')
    case 'requires_action':
    case 'requires_payment_method':
      return nowMs >= order.expiresAt.getTime()
        ? turnBack(order, 'payment_expired')
        : { do: 'wait', order, idle: true }
    case 'processing':
    case 'unknown':
      return { do: 'wait', order, idle: false }
  }
}

function decideBack(order: Order, known: Known): Step {
  if (known.release === undefined || known.void === undefined) return { do: 'undo' }
  if (!known.release.done || !known.void.done) return { do: 'wait', order, idle: false }
  const declined = order.cancelReason === 'payment_declined'
  const undone = known.void.refunded > 0 ? 'refunded' : 'canceled'
  const paymentStatus = declined ? 'failed' : undone
  const changes = { paymentStatus, fulfillmentStatus: 'canceled', nextAction: null } as const
  return { do: 'write', from: 'canceling', order: moveTo(order, 'canceled', changes) }
}

// The amount charged must be the total (rule 3); if it isn't, nothing of it is kept.
function confirmIf(order: Order, amountFits: boolean, nowMs: number): Step {
  if (!amountFits) return turnBack(order, 'conflict')
  const confirmedAt = new Date(nowMs)
  const confirmed = moveTo(order, 'confirmed', { confirmedAt, nextAction: null })
  return { do: 'write', from: 'pending', order: confirmed }
}

// Nothing was taken, so there is nothing to undo.
function refuse(order: Order, cancelReason: CancelReason): Step {
  const canceled = moveTo(order, 'canceled', {
    cancelReason,
    paymentStatus: 'canceled',
    fulfillmentStatus: 'canceled',
  })
  return { do: 'write', from: 'pending', order: canceled }
}

/** The way back, written before any undo is sent (rule 6). */
export function turnBack(order: Order, cancelReason: CancelReason): Extract<Step, { do: 'write' }> {
  const canceling = moveTo(order, 'canceling', { cancelReason, nextAction: null })
  return { do: 'write', from: order.status, order: canceling }
}

function withPayment(order: Order, payment: Payment): Order {
  if (payment.outcome === 'unknown' || payment.outcome === 'conflict') return order
  const paymentStatus = payment.outcome === 'declined' ? 'failed' : payment.outcome
  return {
    ...order,
    paymentStatus,
    paymentId: payment.paymentId,
    nextAction: payment.outcome === 'requires_action' ? payment.nextAction : null,
  }
}
