/** Proves that every decline that the demo's cards can cause is told in words of its own, and any other too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CARDS, cardName, TROUBLED_CARDS } from './cards.ts'
import { declineWords } from './decline-words.ts'

// tools/provider/README.md lists them.
const CODES = [
  'card_declined',
  'insufficient_funds',
  'expired_card',
  'fraudulent',
  'authentication_failed',
  'invalid_payment_method',
]

test('each code has words that say what to do, and that nothing was charged', () => {
  for (const code of CODES) {
    const { title, advice } = declineWords(code)
    assert.notEqual(title, declineWords('never heard of').title, code)
    assert.match(advice, /Nothing was charged/, code)
    assert.doesNotMatch(`${title} ${advice}`, /_|fraud/, 'no code, and no suspicion')
  }
})

test('a code that is new here, or missing, is told too', () => {
  for (const code of ['never heard of', '', null, undefined]) {
    assert.equal(declineWords(code).title, 'The payment did not go through')
  }
})

test('cards are told apart by their endings', () => {
  const endings = [...CARDS, ...TROUBLED_CARDS].map(({ ending }) => ending)
  assert.equal(new Set(endings).size, endings.length)
  assert.equal(cardName('pm_card_visa'), 'Visa ending in 4242')
  assert.equal(cardName('pm_unknown'), 'pm_unknown')
})
