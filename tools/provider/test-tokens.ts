/** Owns the test tokens: what the card behind each payment method does. */
import type { DeclineCode } from './contract.ts'

export type Verdict = 'approved' | DeclineCode

export type CardBehaviour = {
  /** `now`; after the customer acted; or after `SLOW_MS`. */
  answers: 'now' | 'after_action' | 'late'
  verdict: Verdict
  /** What gets lost on the way back, the first time. */
  loses?: 'answer' | 'connection'
}

/** How long a slow card takes. */
export const SLOW_MS = 3_000

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
])

/** What happens to a charge with this payment method. */
export function cardBehaviour(paymentMethod: string): CardBehaviour {
  return CARDS.get(paymentMethod) ?? declined('invalid_payment_method')
}
