/** Owns saying why a payment did not go through, in words that tell what to do next. */

type Words = { title: string; advice: string }

const NOTHING_CHARGED = 'Nothing was charged, and your cart is as it was.'

// A bank's suspicion is not for the shop to repeat (https://docs.stripe.com/declines/codes: fraudulent).
const WORDS: Record<string, Words> = {
  card_declined: {
    title: 'Your bank has declined this card',
    advice: `It did not say why. Try another card, or ask your bank. ${NOTHING_CHARGED}`,
  },
  insufficient_funds: {
    title: 'There is not enough money on this card',
    advice: `Choose another card. ${NOTHING_CHARGED}`,
  },
  expired_card: {
    title: 'This card has expired',
    advice: `Choose a card that is still valid. ${NOTHING_CHARGED}`,
  },
  fraudulent: {
    title: 'Your bank has declined this card',
    advice: `Try another card, or ask your bank. ${NOTHING_CHARGED}`,
  },
  authentication_failed: {
    title: 'The payment was not confirmed at your bank',
    advice: `You can try again, or choose another card. ${NOTHING_CHARGED}`,
  },
  invalid_payment_method: {
    title: 'This card cannot be used here',
    advice: `Choose another card. ${NOTHING_CHARGED}`,
  },
}

const UNKNOWN: Words = {
  title: 'The payment did not go through',
  advice: `Try another card. ${NOTHING_CHARGED}`,
}

/** Words for a `decline_code`; a code that is new here gets the general ones. */
export const declineWords = (code: string | null | undefined): Words => WORDS[code ?? ''] ?? UNKNOWN
