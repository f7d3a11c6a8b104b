/** Proves that amounts are written and read in the currency's own decimals. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMoney, parsePrice, times } from './money.ts'

test('an amount is written in its currency', () => {
  assert.equal(formatMoney({ amount: 54_900, currency: 'USD' }), '$549.00')
  assert.equal(formatMoney({ amount: 1_234_567, currency: 'EUR' }), '€12,345.67')
  assert.equal(formatMoney({ amount: 500, currency: 'JPY' }), '¥500')
  assert.equal(formatMoney(times({ amount: 1_999, currency: 'USD' }, 3)), '$59.97')
})

test('a price that somebody typed is read; what is none, is none', () => {
  assert.equal(parsePrice('49.90', 'USD'), 4_990)
  assert.equal(parsePrice(' $49,90 ', 'USD'), 4_990)
  assert.equal(parsePrice('50', 'USD'), 5_000)
  assert.equal(parsePrice('50', 'JPY'), 50)
  for (const text of ['', 'cheap', '-5', '1.2.3', '1e9', '9'.repeat(12)]) {
    assert.equal(parsePrice(text, 'USD'), undefined, text)
  }
})
