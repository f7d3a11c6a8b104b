/** Owns the ways to pay that the demo's card processor offers: test tokens instead of card numbers. */

export type Card = { token: string; name: string; ending: string; what: string }

/** Cards that one buys with; the first is chosen. See tools/provider/README.md. */
export const CARDS: Card[] = [
  { token: 'pm_card_visa', name: 'Visa', ending: '4242', what: 'Goes through' },
  { token: 'pm_card_mastercard', name: 'Mastercard', ending: '4444', what: 'Goes through' },
  {
    token: 'pm_card_threeDSecureRequired',
    name: 'Visa',
    ending: '3220',
    what: 'Asks you to confirm at your bank',
  },
]

/** Cards that show what happens when something does. */
export const TROUBLED_CARDS: Card[] = [
  {
    token: 'pm_card_chargeDeclinedInsufficientFunds',
    name: 'Visa',
    ending: '9995',
    what: 'Declined: too little money on it',
  },
  {
    token: 'pm_card_chargeDeclinedExpiredCard',
    name: 'Visa',
    ending: '0069',
    what: 'Declined: expired',
  },
  {
    token: 'pm_card_chargeDeclinedFraudulent',
    name: 'Mastercard',
    ending: '9019',
    what: 'Declined: suspected of fraud',
  },
  {
    token: 'pm_card_chargeDeclined',
    name: 'Mastercard',
    ending: '0002',
    what: 'Declined without a reason',
  },
  { token: 'pm_card_slow', name: 'Visa', ending: '3003', what: 'Goes through after 3 seconds' },
  {
    token: 'pm_card_lostAnswer',
    name: 'Mastercard',
    ending: '3011',
    what: 'Goes through, but the answer gets lost',
  },
]

const BY_TOKEN = new Map([...CARDS, ...TROUBLED_CARDS].map((card) => [card.token, card]))

/** `Visa ending in 4242`; what a card is called that this shop does not offer is its token. */
export function cardName(token: string): string {
  const card = BY_TOKEN.get(token)
  return card === undefined ? token : `${card.name} ending in ${card.ending}`
}
