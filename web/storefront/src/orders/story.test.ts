/** Proves that every state of an order is told in words, with what its buyer can do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Order } from '../api/contracts.ts'
import { canCancel, canReorder, isMoving, isOver, stepsOf, storyOf } from './story.ts'

const ORDER: Order = {
  id: 'ord_1',
  owner_id: 'usr_1',
  status: 'pending',
  payment_status: 'processing',
  fulfillment_status: 'not_fulfilled',
  line_items: [],
  subtotal: null,
  discount_total: null,
  shipping_total: null,
  tax_total: null,
  total: null,
  payment_id: null,
  payment_method: 'pm_card_visa',
  capture_method: 'automatic',
  cancel_reason: null,
  decline_code: null,
  next_action: null,
  shipping_address: null,
  expires_at: null,
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
}
const order = (changes: Partial<Order>): Order => ({ ...ORDER, ...changes })
const canceled = (changes: Partial<Order>) => order({ status: 'canceled', ...changes })

test('an order that payments has not answered is being completed, and wants nothing of its buyer', () => {
  const story = storyOf(ORDER)
  assert.equal(story.label, 'Being completed')
  assert.match(story.text, /will not be charged twice/)
  assert.equal(story.needs, undefined)
  assert.ok(isMoving(ORDER))
})

test('an order that waits for its buyer says for what, and does not move by itself', () => {
  const action = { type: 'redirect', url: 'http://bank.test/' }
  const atBank = order({ payment_status: 'requires_action', next_action: action })
  const unpaid = order({ payment_status: 'requires_payment_method' })
  assert.equal(storyOf(atBank).needs, 'bank')
  assert.equal(storyOf(unpaid).needs, 'card')
  assert.ok(!isMoving(atBank) && !isMoving(unpaid))
})

test('a decline is told as one, and what was refunded is told', () => {
  const declined = canceled({ cancel_reason: 'payment_declined', decline_code: 'expired_card' })
  assert.match(storyOf(declined).title, /expired/)
  const refunded = canceled({
    cancel_reason: 'requested_by_customer',
    payment_status: 'refunded',
  })
  assert.equal(storyOf(refunded).label, 'Refunded')
  assert.match(storyOf(refunded).text, /on its way back/)
  assert.doesNotMatch(storyOf(canceled({ cancel_reason: 'payment_expired' })).text, /way back/)
})

test('what can be done follows from the state', () => {
  const states = ['pending', 'confirmed', 'canceling', 'completed', 'canceled'] as const
  const can = (what: (order: Order) => boolean) =>
    states.filter((status) => what(order({ status })))
  assert.deepEqual(can(canCancel), ['pending', 'confirmed'])
  assert.deepEqual(can(canReorder), ['canceled'])
  assert.deepEqual(can(isOver), ['completed', 'canceled'])
})

test('the way of an order is placed, paid, packed, sent', () => {
  const way = (changes: Partial<Order>) =>
    stepsOf(order(changes)).map(({ name, state }) => `${name} ${state}`)
  assert.deepEqual(way({}), ['Placed done', 'Paid now', 'Packed next', 'Sent next'])
  assert.deepEqual(way({ status: 'confirmed' }), [
    'Placed done',
    'Paid done',
    'Packed now',
    'Sent next',
  ])
  assert.deepEqual(way({ status: 'completed' }), [
    'Placed done',
    'Paid done',
    'Packed done',
    'Sent done',
  ])
})
