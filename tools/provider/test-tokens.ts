/** Owns the test tokens: what the card behind each payment method does. */
import type { DeclineCode } from './contract.ts'

export type Verdict = 'approved' | DeclineCode

export type CardBehaviour = {
  /** `now`; after the customer acted; or after `SLOW_MS`. */
  answers: 'now' | 'after_action' | 'late'
  verdict: Verdict
  /** What gets lost on the way back, the first time. */
  loses?: 'answer' | 'connection'
  /** How its webhook misbehaves: before the answer to the charge, two at once, or `LATE_WEBHOOK_MS` after. */
  webhook?: 'early' | 'twice' | 'late'
}

/** How long a slow card takes. */
export const SLOW_MS = 3_000

/** How long after what it tells a late webhook is sent: whoever asks has found out long before. */
export const LATE_WEBHOOK_MS = 10_000

const approved: CardBehaviour = { answers: 'now', verdict: 'approved' }
const declined = (verdict: Verdict): CardBehaviour => ({ answers: 'now', verdict })

// Stripe's names where it has one (https://docs.stripe.com/testing#declined-payments).
const CARDS = new Map<string, CardBehaviour>([
  ['pm_card_visa', approved],
  ['pm_card_mastercard', approved],
  ['pm_card_chargeDeclined', declined('card_declined')],
  ['pm_card_chargeDeclinedInsufficientFunds', declined('insufficient_funds')],
  ['pm_card_chargeDeclinedExpiredCard', declined('expired_card')],
  ['pm_card_chargeDeclinedFraudulent', declined('fraudulent')],
  ['pm_card_threeDSecureRequired', { answers: 'after_action', verdict: 'approved' }],
  ['pm_card_slow', { answers: 'late', verdict: 'approved' }],
  ['pm_card_slowDeclined', { answers: 'late', verdict: 'card_declined' }],
  ['pm_card_lostAnswer', { ...approved, loses: 'answer' }],
  ['pm_card_lostConnection', { ...approved, loses: 'connection' }],
  ['pm_card_webhookEarly', { ...approved, webhook: 'early' }],
  ['pm_card_webhookTwice', { answers: 'late', verdict: 'approved', webhook: 'twice' }],
  ['pm_card_webhookLate', { answers: 'late', verdict: 'approved', webhook: 'late' }],
])

/** What happens to a charge with this payment method. */
export function cardBehaviour(paymentMethod: string): CardBehaviour {
  return CARDS.get(paymentMethod) ?? declined('invalid_payment_method')
}

/** Whether webhooks tell of such a charge: its own request's answer doesn't, or may not have arrived. */
export function isToldByWebhook(paymentMethod: string): boolean {
  const { answers, loses, webhook } = cardBehaviour(paymentMethod)
  return answers !== 'now' || loses !== undefined || webhook !== undefined
}
