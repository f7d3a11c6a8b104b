import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '@quartet/kit/log'
import { realRandom } from '@quartet/kit/random'
import { createTestClock, createTestNetwork } from '@quartet/kit/testing'
import { readConfig } from '../config.ts'
import { testEnvironment } from '../testing/environment.ts'
import { anOrder } from '../testing/orders.ts'
import { createPeers } from './peers.ts'

const config = readConfig(await testEnvironment())
const orders = ['ord_a', 'ord_b', 'ord_c'].map((id) => anOrder({ id }))
const totals = {
  currency: 'USD',
  subtotal: 1000,
  discount_total: 0,
  shipping_total: 0,
  tax_total: 0,
  total: 1000,
}

/** Peers that answer every command with these outcomes; `errors` are what was logged of them. */
function answering(outcomes: unknown[]) {
  const errors: string[] = []
  const log = { ...silentLog, error: (_: unknown, message: string) => void errors.push(message) }
  const answer = () => Response.json({ outcomes })
  const fetch = createTestNetwork({
    'http://products.test': answer,
    'http://payments.test': answer,
  })
  const clock = createTestClock()
  const world = { config, fetch, clock, timers: clock.timers, random: realRandom, log }
  const peers = createPeers(world, () => Promise.resolve('token'))
  const pay = () => peers.pay(orders.map((order) => ({ order, totals })))
  return { ...peers, pay, errors }
}

const paid = (order_id: string, changes: object = {}) => ({
  order_id,
  payment_id: `pay_${order_id}`,
  outcome: 'succeeded',
  amount_received: 1000,
  ...changes,
})
const outcomesOf = (answers: { outcome: string }[]) => answers.map(({ outcome }) => outcome)

test('rule 14: answers are matched by the order they are for, not by where they stand', async () => {
  const declined = paid('ord_c', { outcome: 'declined', amount_received: 0, code: 'expired_card' })
  const { pay } = answering([declined, paid('ord_b'), paid('ord_a')])
  const answers = await pay()
  assert.deepEqual(outcomesOf(answers), ['succeeded', 'succeeded', 'declined'])
  assert.deepEqual([answers[0]?.paymentId, answers[2]?.code], ['pay_ord_a', 'expired_card'])
})

test('rule 16: an answer that cannot be read leaves its own order unknown, and none of its neighbours', async () => {
  for (const odd of [null, { order_id: 'ord_b' }, paid('ord_b', { payment_id: 7 })]) {
    const { pay, errors } = answering([paid('ord_a'), odd, paid('ord_c')])
    assert.deepEqual(outcomesOf(await pay()), ['succeeded', 'unknown', 'succeeded'])
    assert.equal(errors.length, 1)
  }
})

test('rule 4: an outcome that is not known means unknown, never refused; a refused item is told', async () => {
  const told = [
    paid('ord_a', { outcome: 'paid_by_cheque' }),
    paid('ord_b', { outcome: 'invalid' }),
    paid('ord_c', { outcome: 'processing' }),
  ]
  const { pay, reserve, errors } = answering(told)
  assert.deepEqual(outcomesOf(await pay()), ['unknown', 'unknown', 'processing'])
  assert.equal(errors.length, 1)
  assert.deepEqual(outcomesOf(await reserve(orders)), ['unknown', 'unknown', 'unknown'])
})

test('a reservation without what it costs is unknown', async () => {
  const line = { product_id: 'prd_desk', quantity: 2, name: 'Desk' }
  const unit_price = { amount: 500, currency: 'USD' }
  const { reserve } = answering([
    { order_id: 'ord_a', outcome: 'reserved', lines: [{ ...line, unit_price }] },
    { order_id: 'ord_b', outcome: 'reserved', lines: [] },
    { order_id: 'ord_c', outcome: 'reserved', lines: [line] },
  ])
  assert.deepEqual(outcomesOf(await reserve(orders)), ['reserved', 'unknown', 'unknown'])
})

test('rule 8: an undo is done when it is acknowledged, or when nothing there is this order’s', async () => {
  const { release, void: voidAll } = answering([
    { order_id: 'ord_a', outcome: 'canceled', amount_refunded: 1000 },
    { order_id: 'ord_b', outcome: 'processing', amount_refunded: 400 },
    { order_id: 'ord_c', outcome: 'conflict', amount_refunded: 0 },
  ])
  const undone = await voidAll(orders)
  assert.deepEqual(
    undone.map(({ done }) => done),
    [true, false, true],
  )
  assert.equal(undone[0]?.refunded, 1000)
  assert.deepEqual(
    (await release(orders)).map(({ done }) => done),
    [false, false, true],
    'what undoes a payment is not what undoes a reservation',
  )
})
