/** Proves how a deadline is read, and what is left of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadlineOf, timeWithin } from './deadline.ts'
import { createTestClock } from './testing.ts'

test('a deadline is so many milliseconds from now; what is malformed says nothing', () => {
  const clock = createTestClock(1_000)
  assert.equal(deadlineOf('250', clock), 1_250)
  assert.equal(deadlineOf('0', clock), 1_000)
  assert.equal(deadlineOf('999999999', clock), 601_000, 'ten minutes at most')
  for (const header of [
    null,
    undefined,
    '',
    '-1',
    '1.5',
    '1e3',
    ' 5',
    '5ms',
    '1234567890',
    'NaN',
  ]) {
    assert.equal(deadlineOf(header, clock), undefined, String(header))
  }
})

test('work has its own limit, or what is left with time to answer', async () => {
  const clock = createTestClock(1_000)
  assert.equal(timeWithin(2_000, undefined, clock), 2_000)
  assert.equal(timeWithin(2_000, 10_000, clock), 2_000)
  assert.equal(timeWithin(2_000, 1_500, clock), 450)
  await clock.advance(480)
  assert.equal(timeWithin(2_000, 1_500, clock), 0)
})
