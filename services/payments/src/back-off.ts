/** Owns how long a payment waits until the provider is asked about it again. Pure. */
import type { Payment } from './domain.ts'

const MIN_WAIT_MS = 200
const MAX_WAIT_MS = 10_000
// A buyer is looked up again after a twentieth of the time that it has taken so far.
const ACTION_SHARE = 20
const MIN_ACTION_WAIT_MS = 500
const MAX_ACTION_WAIT_MS = 300_000
// The provider refused to give money back: mostly only a person can change that, and each try is a
// refund of its own, so they become rare.
const MIN_REFUSED_WAIT_MS = 10_000
const MAX_REFUSED_WAIT_MS = 24 * 3_600_000

export type Waiting = {
  payment: Payment
  /** How often it was asked in vain. */
  attempts: number
  refundFailed: boolean
  nowMs: number
  /** In [0, 1): spreads those that failed together. */
  fraction: number
}

/** Milliseconds to wait, half of them at least. */
export function waitMs({ payment, attempts, refundFailed, nowMs, fraction }: Waiting): number {
  return ceilingMs(payment, attempts, refundFailed, nowMs) * (0.5 + fraction / 2)
}

function ceilingMs(payment: Payment, attempts: number, refundFailed: boolean, nowMs: number) {
  if (refundFailed) {
    return Math.min(MAX_REFUSED_WAIT_MS, MIN_REFUSED_WAIT_MS * 2 ** Math.min(attempts, 20))
  }
  if (payment.status === 'requires_action') {
    const sharedMs = (nowMs - payment.updatedAt.getTime()) / ACTION_SHARE
    return Math.min(MAX_ACTION_WAIT_MS, Math.max(MIN_ACTION_WAIT_MS, sharedMs))
  }
  return Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** Math.min(attempts, 10))
}
