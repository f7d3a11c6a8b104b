import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitMs } from './back-off.ts'
import type { Payment } from './domain.ts'
import { newPayment } from './intention.ts'

const wait = (changes: Partial<Parameters<typeof waitMs>[0]>, payment: Partial<Payment> = {}) =>
  waitMs({
    payment: { ...newPayment('pay_1', 'usr_1', 0), ...payment },
    attempts: 0,
    refundFailed: false,
    isTold: false,
    nowMs: 0,
    fraction: 1,
    ...changes,
  })

test('rule 10: what got no answer is asked again ever later, spread out, 10 s at most', () => {
  const waits = [0, 1, 2, 5, 6, 1_000_000].map((attempts) => wait({ attempts }))
  assert.deepEqual(waits, [200, 400, 800, 6_400, 10_000, 10_000])
  assert.equal(wait({ attempts: 6, fraction: 0 }), 5_000)
})

test('a buyer who has to act is looked up ever more rarely, 5 min at most', () => {
  const waits = [0, 60_000, 1_800_000, 86_400_000].map((nowMs) =>
    wait({ nowMs, attempts: 50 }, { status: 'requires_action' }),
  )
  assert.deepEqual(waits, [500, 3_000, 90_000, 300_000])
})

test('where webhooks tell what the buyer did, look-ups are a safety net: rare from the start', () => {
  const waits = [0, 60_000, 600_000, 86_400_000].map((nowMs) =>
    wait({ nowMs, attempts: 50, isTold: true }, { status: 'requires_action' }),
  )
  assert.deepEqual(waits, [60_000, 60_000, 300_000, 600_000])
  let lookups = 0
  for (let nowMs = 0; nowMs < 1_800_000; lookups += 1) {
    nowMs += wait({ nowMs, isTold: true }, { status: 'requires_action' })
  }
  assert.equal(lookups, 9)
  assert.deepEqual(wait({ attempts: 0, isTold: true }), wait({ attempts: 0 }))
})

test('rule 8: an undo that was not answered is asked again soon, whether or not a buyer had to act', () => {
  for (const isTold of [false, true]) {
    const undo: Partial<Payment> = { status: 'requires_action', undo: true }
    const waits = [0, 1, 6].map((attempts) => wait({ attempts, isTold, nowMs: 3_600_000 }, undo))
    assert.deepEqual(waits, [200, 400, 10_000])
  }
})

test('a refund that the provider refused is tried again ever more rarely, once a day at least', () => {
  const waits = [0, 1, 6, 1_000_000].map((attempts) =>
    wait({ refundFailed: true, attempts }, { status: 'succeeded' }),
  )
  assert.deepEqual(waits, [10_000, 20_000, 640_000, 86_400_000])
})
