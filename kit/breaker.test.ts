/** Proves when a circuit breaker opens, for how long, and what closes it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBreaker } from './breaker.ts'
import { createTestClock } from './testing.ts'

function open() {
  const clock = createTestClock()
  const breaker = createBreaker({
    clock,
    random: { fraction: () => 0.5, bytes: () => new Uint8Array() },
  })
  const fail = (times: number, weight = 1) => {
    for (let n = 0; n < times; n += 1) breaker.failed(weight)
  }
  return { clock, breaker, fail }
}

test('it opens after four failures in a row, or two time-outs', () => {
  const { breaker, fail } = open()
  fail(3)
  breaker.succeeded()
  fail(3)
  assert.equal(breaker.allows(), true)
  fail(1)
  assert.equal(breaker.allows(), false)
  const late = open()
  late.fail(2, 2)
  assert.equal(late.breaker.isOpen(), true)
})

test('it opens when half of the last twenty calls failed', () => {
  const { breaker, fail } = open()
  for (let n = 0; n < 9; n += 1) {
    fail(1)
    breaker.succeeded()
  }
  breaker.succeeded()
  assert.equal(breaker.isOpen(), false)
  fail(1)
  assert.equal(breaker.isOpen(), true)
})

test('one call tries it after 1 s, doubling to 5 s while trials fail; a success closes it', async () => {
  const { breaker, fail, clock } = open()
  fail(4)
  for (const openMs of [1_000, 2_000, 4_000, 5_000, 5_000]) {
    await clock.advance(openMs - 1)
    assert.equal(breaker.allows(), false)
    await clock.advance(1)
    assert.deepEqual([breaker.allows(), breaker.allows()], [true, false])
    assert.equal(breaker.isOpen(), true)
    fail(1)
  }
  await clock.advance(5_000)
  assert.equal(breaker.allows(), true)
  breaker.succeeded()
  assert.deepEqual([breaker.isOpen(), breaker.allows(), breaker.allows()], [false, true, true])
  fail(4)
  await clock.advance(1_000)
  assert.equal(breaker.allows(), true, 'and it begins with 1 s again')
})
