/** Proves that no ring is missed, and that nobody listens for nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBell } from './bell.ts'
import type { Database } from './postgres.ts'
import { createTestClock } from './testing.ts'

function aBell() {
  const heard = { listeners: 0, ring: () => {} }
  const nobody = () => Promise.reject(new Error('nobody asks'))
  const db: Database = {
    query: nobody,
    transaction: nobody,
    close: () => Promise.resolve(),
    listen(_channel, ring) {
      heard.listeners += 1
      heard.ring = ring
      return () => (heard.listeners -= 1)
    },
  }
  const clock = createTestClock()
  return { bell: createBell({ db, timers: clock.timers }, 'things'), heard, clock }
}

/** Whether a wait is over, without time passing. */
async function isOver(wait: Promise<void>): Promise<boolean> {
  let over = false
  void wait.then(() => (over = true))
  await new Promise((resolve) => setImmediate(resolve))
  return over
}

test('a ring wakes all who wait, and one between looking and waiting is not missed', async () => {
  const { bell, heard } = aBell()
  const waits = [bell.wait(bell.rings(), 1_000), bell.wait(bell.rings(), 1_000)]
  assert.equal(await isOver(Promise.race(waits)), false)
  const seen = bell.rings()
  heard.ring()
  await Promise.all(waits)
  assert.equal(await isOver(bell.wait(seen, 1_000)), true)
  assert.equal(await isOver(bell.wait(bell.rings(), 1_000)), false)
})

test('a wait ends after its time, and at once when the bell stops', async () => {
  const { bell, clock, heard } = aBell()
  const short = bell.wait(0, 1_000)
  await clock.advance(999)
  assert.equal(await isOver(short), false)
  await clock.advance(1)
  assert.equal(await isOver(short), true)
  const long = bell.wait(0, 60_000)
  bell.stop()
  assert.equal(await isOver(long), true)
  assert.equal(await isOver(bell.wait(bell.rings(), 60_000)), true)
  assert.deepEqual([heard.listeners, clock.untilNextMs()], [0, undefined])
})

test('it listens from the first wait on, by one connection', async () => {
  const { bell, heard } = aBell()
  assert.equal(heard.listeners, 0)
  void bell.wait(0, 1_000)
  void bell.wait(0, 1_000)
  assert.equal(heard.listeners, 1)
  bell.stop()
})
