/** Owns what catches each planted bug: one test, which is green without it. */

export type Detector = { file: string; test: string }

const reservations = 'services/products/src/commands/reservations.test.ts'
const saga = 'services/orders/src/checkout/saga.test.ts'
const interleavings = {
  file: 'services/orders/src/checkout/interleavings.test.ts',
  test: 'rules 1, 6, 7, 8: over every order of answers, losses and repeats, an order ends whole',
}

/** By the bug's name. */
export const DETECTORS: Record<string, Detector> = {
  'no tombstone': {
    file: reservations,
    test: 'rule 8: a release leaves a tombstone that refuses a late reserve',
  },
  'position moved after the effect': {
    file: 'kit/testing/lossy-postgres.test.ts',
    test: 'rule 19: events whose commit is lost are applied once, whichever commit it is',
  },
  'position not compared': {
    file: 'kit/apply-events.test.ts',
    test: 'rule 19: a page that several replicas have read is applied by one of them, also when another comes late',
  },
  'event appended after the commit': {
    file: 'services/orders/src/lost-commits.test.ts',
    test: 'rules 16, 17: an order whose commits are lost is placed and charged once, whichever commit it is',
  },
  'lease never expires': {
    file: 'services/orders/src/replicas.test.ts',
    test: 'rule 17: a key whose replica dies with the order in hand is answered by the other, after the lease',
  },
  'time-out taken for failure': {
    file: 'services/orders/src/checkout.test.ts',
    test: 'a neighbour that is down: 202 and the pending order, which completes by itself',
  },
  'key checked without a claim': {
    file: 'kit/idempotency.test.ts',
    test: 'rule 17: 20 copies at once, on two replicas, have one effect and identical answers',
  },
  'release not awaited': interleavings,
  'void not awaited': interleavings,
  'late answer overwrites a webhook': {
    file: 'services/payments/src/webhooks.test.ts',
    test: 'rule 9: a late answer of the charge never overwrites what a webhook told: succeeded',
  },
  'batch unsorted': {
    file: reservations,
    test: 'rule 15: reservations are claimed in the order of their ids',
  },
  'amount not compared': {
    file: saga,
    test: 'rule 3: only the amount of the total confirms; any other is turned back',
  },
  'status not compared': {
    file: 'services/orders/src/lost-commits.test.ts',
    test: 'rules 6, 16: a cancel whose commits are lost gives back once',
  },
  'refund not claimed': {
    file: 'services/payments/src/routes.test.ts',
    test: 'refunds give back a part or the rest, never more, also at once',
  },
  'numbers from the newest event': {
    file: 'kit/events.test.ts',
    test: 'rule 18: the numbers go on after retention deleted every event',
  },
  "somebody else's answer": {
    file: reservations,
    test: 'rule 2: an order id with another owner or other lines is in conflict and takes nothing',
  },
}
