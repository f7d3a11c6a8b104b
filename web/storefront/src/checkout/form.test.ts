/** Proves that what is typed wrong is named by its field, and what is typed right is sent as the contract has it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLANK, checkForm, errorsOf, toOrder } from './form.ts'

const GOOD = {
  ...BLANK,
  email: ' ada@example.com ',
  name: ' Ada Lovelace ',
  line1: '12 Linden Lane',
  city: 'Leipzig',
  postal_code: '04109',
  country: 'DE',
}

test('a form that is filled in has no errors', () => {
  assert.deepEqual(checkForm(GOOD, true), {})
})

test('what is missing is named; what is optional is not', () => {
  const wanted = ['email', 'name', 'line1', 'city', 'postal_code', 'country']
  assert.deepEqual(Object.keys(checkForm(BLANK, true)), wanted)
  assert.deepEqual(Object.keys(checkForm({ ...GOOD, name: '   ' }, true)), ['name'])
})

test('only a guest is asked for an e-mail, and it must look like one', () => {
  for (const email of ['ada', 'ada@', '@example.com', 'ada@example', 'a b@example.com']) {
    assert.deepEqual(Object.keys(checkForm({ ...GOOD, email }, true)), ['email'], email)
    assert.deepEqual(checkForm({ ...GOOD, email }, false), {}, email)
  }
})

test('what is longer than the shop takes is told before it is sent', () => {
  assert.match(checkForm({ ...GOOD, city: 'x'.repeat(101) }, true).city ?? '', /100/)
  assert.match(checkForm({ ...GOOD, postal_code: '1'.repeat(21) }, true).postal_code ?? '', /20/)
})

test('what the shop found wrong stands beside the field it belongs to', () => {
  const problem = {
    title: 'Invalid request',
    status: 400,
    code: 'invalid',
    errors: [
      { field: 'shipping_address.postal_code', detail: 'must not contain NUL characters' },
      { field: 'line_items.0.quantity', detail: 'is too large' },
    ],
  }
  assert.deepEqual(errorsOf(problem), { postal_code: 'This must not contain NUL characters.' })
})

test('an order says the total that its buyer saw, and leaves out what was left empty', () => {
  const price = { amount: 1_000, currency: 'USD' }
  const line = { product_id: 'a', quantity: 2, seen_price: price }
  const lines = [{ line, product: undefined, price, trouble: undefined }]
  const total = { amount: 2_000, currency: 'USD' }
  assert.deepEqual(toOrder(lines, total, GOOD, 'pm_card_visa'), {
    line_items: [{ product_id: 'a', quantity: 2 }],
    payment_method: 'pm_card_visa',
    expected_total: total,
    shipping_address: {
      name: 'Ada Lovelace',
      line1: '12 Linden Lane',
      city: 'Leipzig',
      postal_code: '04109',
      country: 'DE',
    },
  })
  assert.ok(
    !('payment_method' in toOrder(lines, total, GOOD, null)),
    'who pays later names no card',
  )
})
