/** Owns what a violation is: a promise that was broken, to whom, and how it shows. */

/** The promises, in the words of the report. */
export const PROMISES = {
  ends: 'every order that a customer was told about ends',
  trueForEver: 'an answer that a customer got is true for ever',
  definite: 'every request gets a definite answer',
  oneEffect: 'the same key never has two effects',
  units: 'units sold + held + available = units stocked, never below zero',
  needed: 'no reservation without an order that needs it',
  chargedOnce:
    'a confirmed order has one charge of its total, a canceled one none or a full refund',
  ledger: 'the ledger sums to zero and equals the provider’s record',
  events: 'every event arrives at every subscriber once, in order',
  gapless: 'event logs have no gaps',
  reconciled: 'all books agree (npm run reconcile)',
  erased: 'who is erased can order nothing',
  harmed: 'a request never fails for a reason of the shop’s own',
} as const
export type Promised = keyof typeof PROMISES

export type Violation = {
  promise: Promised
  /** The order that it is about, where there is one. */
  order?: string
  /** The number of the customer's story, where there is one. */
  n?: number
  detail: string
}
