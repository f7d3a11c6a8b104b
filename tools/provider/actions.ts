/** Owns what each request does to a draft: an item in, its outcome out, and the facts on the way. */
import type {
  CancelRequest,
  CaptureRequest,
  ChargeOutcome,
  ChargeRequest,
  ConflictOutcome,
  InvalidOutcome,
  RefundOutcome,
  RefundRequest,
} from './contract.ts'
import type { Draft } from './book.ts'
import {
  conclude,
  decideCancel,
  decideCapture,
  decideRefund,
  isMade,
  isSameRequest,
  open,
  outcomeOf,
  type Charge,
  type Refund,
} from './domain.ts'
import { cardBehaviour, type CardBehaviour, type Verdict } from './test-tokens.ts'

/** What the actions need besides the draft. */
export type Desk = {
  draft: Draft
  nowMs: number
  newId: (prefix: string) => string
  challengeUrl: (chargeId: string) => string
}

export type ChargeAnswer = {
  outcome: ChargeOutcome | ConflictOutcome
  /** What the caller must not get this time. */
  loses?: CardBehaviour['loses']
  /** The caller gets it when its webhook has arrived. */
  isHeld?: boolean
}

export function charge({ draft, nowMs, newId, challengeUrl }: Desk, request: ChargeRequest) {
  const known = draft.charge(request.key)
  if (known !== undefined && !isSameRequest(known, request)) {
    return { outcome: { key: request.key, status: 'conflict' } } satisfies ChargeAnswer
  }
  const current = known ?? present(draft.add(open(request, newId('ch'), nowMs)))
  const outcome = outcomeOf(current, challengeUrl)
  const { loses, webhook } = cardBehaviour(request.payment_method)
  if (known !== undefined) return { outcome } satisfies ChargeAnswer
  return { outcome, loses, isHeld: webhook === 'early' } satisfies ChargeAnswer
}

export function capture(
  { draft, challengeUrl }: Desk,
  { charge_key, amount }: CaptureRequest,
): ChargeOutcome | InvalidOutcome {
  const known = draft.charge(charge_key)
  const decision = decideCapture(known, amount)
  if (decision === 'repeated') return outcomeOf(present(known), challengeUrl)
  if (typeof decision === 'string') {
    return { key: charge_key, status: 'invalid', reason: decision }
  }
  return outcomeOf(present(draft.add(decision.fact)), challengeUrl)
}

export function cancel(
  { draft, challengeUrl }: Desk,
  { charge_key }: CancelRequest,
): ChargeOutcome {
  const known = draft.charge(charge_key)
  const fact = decideCancel(known, charge_key)
  return outcomeOf(present(fact === undefined ? known : draft.add(fact)), challengeUrl)
}

export function refund({ draft, newId }: Desk, request: RefundRequest): RefundOutcome {
  const { key, charge_key, amount } = request
  if (draft.refund(key) === undefined) {
    draft.add(decideRefund(draft.charge(charge_key), request, newId('re')))
  }
  const known = present(draft.refund(key))
  if (known.chargeKey !== charge_key || known.amount !== amount) {
    return { key, charge_key, amount, status: 'conflict', refund_id: null }
  }
  return refundOutcome(known)
}

function refundOutcome({ key, chargeKey, amount, result }: Refund): RefundOutcome {
  const named = { key, charge_key: chargeKey, amount }
  if ('id' in result) return { ...named, status: 'succeeded', refund_id: result.id }
  return { ...named, status: 'failed', refund_id: null, reason: result.failure }
}

/** The customer's answer to a challenge; a charge that waits for none stays as it is. */
export function answerChallenge(draft: Draft, key: string, verdict: Verdict): Charge | undefined {
  const known = draft.charge(key)
  if (!isMade(known) || known.status !== 'requires_action') return known
  return draft.add(conclude(known, verdict))
}

/** Concludes a slow charge that is due; one that was canceled meanwhile stays so. */
export function settle(draft: Draft, key: string): void {
  const known = draft.charge(key)
  if (!isMade(known) || known.status !== 'processing') return
  draft.add(conclude(known, cardBehaviour(known.made.request.payment_method).verdict))
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('an action left nothing behind')
  return value
}
