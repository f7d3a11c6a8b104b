/** Owns how long a payment waits until the provider is asked about it again. Pure. */
import type { Payment } from './domain.ts'

const MIN_WAIT_MS = 200
const MAX_WAIT_MS = 10_000
// A buyer is looked up again after a twentieth of the time that it has taken so far.
const ACTION_SHARE = 20
const MIN_ACTION_WAIT_MS = 500
const MAX_ACTION_WAIT_MS = 300_000
// Where webhooks tell what the buyer did, a look-up only finds what none told: after half of the time that
// it has taken so far, twelve times in half an hour instead of 170. So a webhook that never comes is made
// good before the order's time is over.
const TOLD_ACTION_SHARE = 2
const MIN_TOLD_ACTION_WAIT_MS = 60_000
const MAX_TOLD_ACTION_WAIT_MS = 600_000
// The provider refused to give money back: mostly only a person can change that, and each try is a
// refund of its own, so they become rare.
const MIN_REFUSED_WAIT_MS = 10_000
const MAX_REFUSED_WAIT_MS = 24 * 3_600_000

export type Waiting = {
  payment: Payment
  /** How often it was asked in vain. */
  attempts: number
  refundFailed: boolean
  /** Webhooks tell what becomes of a payment. */
  isTold: boolean
  nowMs: number
  /** In [0, 1): spreads those that failed together. */
  fraction: number
}

/** Milliseconds to wait, half of them at least. */
export function waitMs(waiting: Waiting): number {
  return ceilingMs(waiting) * (0.5 + waiting.fraction / 2)
}

function ceilingMs({ payment, attempts, refundFailed, isTold, nowMs }: Waiting): number {
  if (refundFailed) {
    return Math.min(MAX_REFUSED_WAIT_MS, MIN_REFUSED_WAIT_MS * 2 ** Math.min(attempts, 20))
  }
  // An undo waits for the provider, not for its buyer.
  if (payment.status === 'requires_action' && !payment.undo) {
    const takenMs = nowMs - payment.updatedAt.getTime()
    return isTold
      ? between(MIN_TOLD_ACTION_WAIT_MS, takenMs / TOLD_ACTION_SHARE, MAX_TOLD_ACTION_WAIT_MS)
      : between(MIN_ACTION_WAIT_MS, takenMs / ACTION_SHARE, MAX_ACTION_WAIT_MS)
  }
  return Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** Math.min(attempts, 10))
}

const between = (least: number, wanted: number, most: number): number =>
  Math.min(most, Math.max(least, wanted))
