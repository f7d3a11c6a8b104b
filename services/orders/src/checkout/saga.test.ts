import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Order } from '../domain.ts'
import { anOrder } from '../testing/orders.ts'
import { decide, type Known, type Payment, type Reservation } from './saga.ts'

const NOW_MS = Date.UTC(2030, 0, 1)
const reserved: Reservation = {
  outcome: 'reserved',
  currency: 'USD',
  lines: [{ product_id: 'prd_desk', quantity: 2, name: 'Desk', unit_price: 500 }],
}

const paid = (changes: Partial<Payment>): Payment => ({
  outcome: 'succeeded',
  paymentId: 'pay_1',
  amountReceived: 1000,
  amountCapturable: 0,
  code: null,
  nextAction: null,
  ...changes,
})

function decided(order: Order, known: Known, nowMs = NOW_MS): string {
  const step = decide(order, known, nowMs)
  if (step.do !== 'write') return step.do
  return `${step.from} to ${step.order.status}, ${step.order.cancelReason}`
}

test('a pending order is reserved, then paid, then confirmed', () => {
  const order = anOrder()
  assert.equal(decided(order, {}), 'reserve')
  assert.equal(decided(order, { reservation: reserved }), 'pay')
  assert.equal(
    decided(order, { reservation: reserved, payment: paid({}) }),
    'pending to confirmed, null',
  )
})

test('a refusal of the stock ends the order at once: there is nothing to undo', () => {
  for (const outcome of ['insufficient_stock', 'product_unavailable', 'conflict'] as const) {
    assert.equal(
      decided(anOrder(), { reservation: { outcome } }),
      `pending to canceled, ${outcome}`,
    )
  }
})

test('rule 7: an unknown outcome is neither success nor failure', () => {
  assert.equal(decided(anOrder(), { reservation: { outcome: 'unknown' } }), 'wait')
  for (const outcome of ['unknown', 'processing'] as const) {
    assert.equal(
      decided(anOrder(), { reservation: reserved, payment: paid({ outcome }) }),
      'wait',
      outcome,
    )
  }
})

test('rule 3: only the amount of the total confirms; any other is turned back', () => {
  for (const amountReceived of [0, 999, 1001]) {
    const known: Known = { reservation: reserved, payment: paid({ amountReceived }) }
    assert.equal(decided(anOrder(), known), 'pending to canceling, conflict')
  }
  const authorised = paid({ outcome: 'requires_capture', amountReceived: 0, amountCapturable: 999 })
  assert.equal(
    decided(anOrder(), { reservation: reserved, payment: authorised }),
    'pending to canceling, conflict',
  )
})

test('manual capture: authorised for the total is confirmed', () => {
  const payment = paid({ outcome: 'requires_capture', amountReceived: 0, amountCapturable: 1000 })
  const step = decide(anOrder(), { reservation: reserved, payment }, NOW_MS)
  assert.ok(step.do === 'write' && step.order.status === 'confirmed')
  assert.equal(step.order.paymentStatus, 'requires_capture')
})

test('rule 6: what must be undone is written before it is undone', () => {
  const declined = paid({ outcome: 'declined', code: 'insufficient_funds', amountReceived: 0 })
  const step = decide(anOrder(), { reservation: reserved, payment: declined }, NOW_MS)
  assert.ok(step.do === 'write')
  assert.deepEqual(
    [step.order.status, step.order.cancelReason, step.order.declineCode],
    ['canceling', 'payment_declined', 'insufficient_funds'],
  )
  const expected = anOrder({ expectedTotal: { amount: 1, currency: 'USD' } })
  assert.equal(decided(expected, { reservation: reserved }), 'pending to canceling, price_changed')
})

test('rule 8: canceled is written only when both undos are acknowledged', () => {
  const order = anOrder({ status: 'canceling', cancelReason: 'requested_by_customer' })
  const done = { done: true, refunded: 0 }
  const not = { done: false, refunded: 0 }
  assert.equal(decided(order, {}), 'undo')
  assert.equal(decided(order, { release: done }), 'undo')
  assert.equal(decided(order, { release: done, void: not }), 'wait')
  assert.equal(decided(order, { release: not, void: done }), 'wait')
  const both = decided(order, { release: done, void: done })
  assert.equal(both, 'canceling to canceled, requested_by_customer')
})

test('the payment of a canceled order says what became of the money', () => {
  const release = { done: true, refunded: 0 }
  const statusAfter = (order: Order, refunded: number) => {
    const step = decide(order, { release, void: { done: true, refunded } }, NOW_MS)
    return step.do === 'write' ? step.order.paymentStatus : step.do
  }
  const canceling = anOrder({ status: 'canceling', cancelReason: 'requested_by_customer' })
  assert.equal(statusAfter(canceling, 1000), 'refunded')
  assert.equal(statusAfter(canceling, 0), 'canceled')
  const declined = anOrder({ status: 'canceling', cancelReason: 'payment_declined' })
  assert.equal(statusAfter(declined, 0), 'failed')
})

test('rule 12: waiting for the buyer ends when the window is over, also for 3-D Secure', () => {
  for (const outcome of ['requires_action', 'requires_payment_method'] as const) {
    const order = anOrder()
    const known: Known = { reservation: reserved, payment: paid({ outcome, amountReceived: 0 }) }
    const end = order.expiresAt.getTime()
    assert.equal(decided(order, known, end - 1), 'wait')
    assert.equal(decided(order, known, end), 'pending to canceling, payment_expired')
  }
})

test('rule 6: a settled order is left alone, whatever is known', () => {
  for (const status of ['confirmed', 'completed', 'canceled'] as const) {
    const order = anOrder({ status })
    assert.equal(decided(order, { reservation: reserved, payment: paid({}) }), 'stop')
  }
})

test('a total that is too large to charge is turned back', () => {
  const reservation: Reservation = {
    outcome: 'reserved',
    currency: 'USD',
    lines: [{ product_id: 'prd_desk', quantity: 1_000_000, name: 'Desk', unit_price: 10 ** 12 }],
  }
  assert.equal(decided(anOrder(), { reservation }), 'pending to canceling, amount_too_large')
})
