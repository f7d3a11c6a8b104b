import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from './log.ts'
import { createRounds } from './rounds.ts'
import { createTestClock } from './testing.ts'

function open(run: () => Promise<Date | null>) {
  const clock = createTestClock()
  const world = { clock, timers: clock.timers, log: silentLog }
  const rounds = createRounds(world, { name: 'test', run, pollMs: 1_000, minWaitMs: 50 })
  return { clock, rounds }
}

test('a round comes at once, then as often as polling says', async () => {
  let count = 0
  const { clock, rounds } = open(() => Promise.resolve((count += 1)).then(() => null))
  await clock.advance(5_000)
  assert.equal(count, 0, 'not before it is started')
  rounds.start()
  await clock.advance(50)
  assert.equal(count, 1)
  await clock.advance(3_000)
  assert.equal(count, 4)
  await rounds.stop()
  await clock.advance(5_000)
  assert.equal(count, 4, 'not after it is stopped')
})

test('what is due sooner is done sooner, never in a tight loop', async () => {
  const at: number[] = []
  const { clock, rounds } = open(() => {
    at.push(clock.now())
    return Promise.resolve(new Date(clock.now() + (at.length === 1 ? 200 : -1)))
  })
  rounds.start()
  await clock.advance(400)
  const [first = 0, second, third] = at
  assert.equal(second, first + 200)
  assert.equal(third, first + 250)
  await rounds.stop()
})

test('an announcement brings the next round forward, also one that comes while a round runs', async () => {
  let count = 0
  const answer: { give: () => void } = { give: () => {} }
  const { clock, rounds } = open(() => {
    count += 1
    if (count !== 2) return Promise.resolve(null)
    return new Promise((resolve) => (answer.give = () => resolve(null)))
  })
  rounds.start()
  await clock.advance(50)
  rounds.wakeAt(clock.now() + 100)
  await clock.advance(100)
  assert.equal(count, 2)
  rounds.wakeAt(clock.now() + 100)
  await clock.advance(500)
  assert.equal(count, 2, 'one at a time')
  answer.give()
  await clock.advance(50)
  assert.equal(count, 3)
  await rounds.stop()
})

test('a round that fails is followed by the next', async () => {
  let count = 0
  const { clock, rounds } = open(() => {
    count += 1
    return Promise.reject(new Error('no database'))
  })
  rounds.start()
  await clock.advance(2_100)
  assert.equal(count, 3)
  await rounds.stop()
})

test('a stop waits for the round that runs', async () => {
  const answer: { give: () => void } = { give: () => {} }
  const { clock, rounds } = open(
    () => new Promise((resolve) => (answer.give = () => resolve(null))),
  )
  rounds.start()
  await clock.advance(50)
  let stopped = false
  const stop = rounds.stop().then(() => (stopped = true))
  await clock.advance(100)
  assert.equal(stopped, false)
  answer.give()
  await stop
})
