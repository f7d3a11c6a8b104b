/** Proves that a line that cannot be ordered as it is says why, and that the total is what the shop would charge. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkCart, totalOf, type Known } from './check.ts'

const line = (product_id: string, quantity = 1, amount = 1_000, currency = 'USD') => ({
  product_id,
  quantity,
  seen_price: { amount, currency },
})

const product = (changes: object = {}): Known => ({
  id: 'a',
  name: 'A lamp',
  description: '',
  category: 'Lighting',
  price: { amount: 1_000, currency: 'USD' },
  status: 'active',
  available_quantity: 5,
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
  ...changes,
})

const troubleOf = (known: Known, quantity = 1) =>
  checkCart([line('a', quantity)], () => known)[0]?.trouble

test('a line that can be ordered has no trouble, nor has one of which nobody knows', () => {
  assert.equal(troubleOf(product()), undefined)
  assert.equal(troubleOf(product(), 5), undefined)
  assert.equal(troubleOf(undefined), undefined)
})

test('a line says what keeps it from being ordered', () => {
  assert.deepEqual(troubleOf('gone'), { kind: 'gone' })
  assert.deepEqual(troubleOf(product({ status: 'archived' })), { kind: 'gone' })
  assert.deepEqual(troubleOf(product({ available_quantity: 0 })), { kind: 'sold_out' })
  assert.deepEqual(troubleOf(product(), 6), { kind: 'short', available: 5 })
  const to = { amount: 1_100, currency: 'USD' }
  assert.deepEqual(troubleOf(product({ price: to })), {
    kind: 'price_changed',
    from: { amount: 1_000, currency: 'USD' },
    to,
  })
  const other = checkCart([line('a'), line('b', 1, 900, 'EUR')], (id) =>
    id === 'a' ? product() : product({ price: { amount: 900, currency: 'EUR' } }),
  )
  assert.deepEqual(other[1]?.trouble, { kind: 'other_currency' })
})

test('the total is of the prices as they are now, and as they were seen where nobody knows', () => {
  const lines = checkCart([line('a', 2), line('b', 3, 700)], (id) =>
    id === 'a' ? product({ price: { amount: 1_500, currency: 'USD' } }) : undefined,
  )
  assert.deepEqual(totalOf(lines), { amount: 2 * 1_500 + 3 * 700, currency: 'USD' })
  assert.equal(totalOf([]), undefined)
})
