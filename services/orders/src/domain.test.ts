import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_AMOUNT } from '@quartet/kit/schema'
import { ORDER_STATUSES } from './contract.ts'
import { isExpected, isSettled, moveTo, priceLines, TRANSITIONS } from './domain.ts'
import { anOrder } from './testing/orders.ts'

test('rule 6: an order makes exactly the moves of the table and no other', () => {
  const allowed = new Set([
    'pending confirmed',
    'pending canceled',
    'pending canceling',
    'confirmed completed',
    'confirmed canceling',
    'canceling canceled',
  ])
  for (const from of ORDER_STATUSES) {
    for (const to of ORDER_STATUSES) {
      const move = () => moveTo(anOrder({ status: from }), to)
      if (allowed.has(`${from} ${to}`)) assert.equal(move().status, to)
      else assert.throws(move, /cannot move/, `${from} to ${to}`)
    }
  }
})

test('only statuses without a move forward, and confirmed, need no driving', () => {
  for (const status of ORDER_STATUSES) {
    const expected = status === 'confirmed' || TRANSITIONS[status].length === 0
    assert.equal(isSettled(status), expected, status)
  }
})

const line = (unit_price: number, quantity: number) => ({
  product_id: 'prd_1',
  name: 'Desk',
  unit_price,
  quantity,
})

test('totals are whole minor units in their full shape', () => {
  assert.deepEqual(priceLines([line(1999, 3), line(1, 1)], 'USD'), {
    currency: 'USD',
    subtotal: 5998,
    discount_total: 0,
    shipping_total: 0,
    tax_total: 0,
    total: 5998,
  })
})

test('a total above the largest amount is no total', () => {
  assert.equal(priceLines([line(MAX_AMOUNT, 1)], 'USD')?.total, MAX_AMOUNT)
  assert.equal(priceLines([line(MAX_AMOUNT, 1), line(1, 1)], 'USD'), undefined)
})

test('an expected total must be met in amount and in currency', () => {
  const totals = priceLines([line(500, 2)], 'USD')
  assert.ok(totals)
  assert.ok(isExpected(null, totals))
  assert.ok(isExpected({ amount: 1000, currency: 'USD' }, totals))
  assert.ok(!isExpected({ amount: 999, currency: 'USD' }, totals))
  assert.ok(!isExpected({ amount: 1000, currency: 'EUR' }, totals))
})
