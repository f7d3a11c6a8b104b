/** Proves that what fails is tried again later and later, and that the log is told once a reason. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBackOff } from './back-off.ts'
import { silentLog } from './log.ts'
import { createTestClock } from './testing.ts'

function open(fraction = 0) {
  const clock = createTestClock()
  const said: string[] = []
  const log = {
    ...silentLog,
    warn: (_: unknown, message: string) => said.push(message),
    info: (_: unknown, message: string) => said.push(message),
  }
  const random = { fraction: () => fraction, bytes: (count: number) => new Uint8Array(count) }
  const words = { fails: 'fails', works: 'works', fields: {} }
  const backOff = createBackOff({ timers: clock.timers, random, log }, words)
  const stopping = new AbortController()
  async function waitAfter(reason: string): Promise<number> {
    const startedMs = clock.now()
    const over = backOff.failed(new Error(reason), stopping.signal)
    await clock.advance(clock.untilNextMs() ?? 0)
    await over
    return clock.now() - startedMs
  }
  return { backOff, clock, said, stopping, waitAfter }
}

test('each failure in a row waits longer, up to a limit, between half of it and all', async () => {
  const least = open(0)
  const waits: number[] = []
  for (let n = 0; n < 8; n += 1) waits.push(await least.waitAfter('no'))
  assert.deepEqual(waits, [100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500])
  assert.equal(await open(0.5).waitAfter('no'), 150)
  least.backOff.succeeded()
  assert.equal(await least.waitAfter('no'), 100)
})

test('the log is told of a failure once, of each new reason, and of the end', async () => {
  const { backOff, said, waitAfter } = open()
  backOff.succeeded()
  for (const reason of ['a', 'a', 'b', 'b']) await waitAfter(reason)
  backOff.succeeded()
  backOff.succeeded()
  await waitAfter('b')
  assert.deepEqual(said, ['fails', 'fails', 'works', 'fails'])
})

test('who is stopped waits no longer, and leaves no timer', async () => {
  const { backOff, clock, stopping } = open()
  const waiting = backOff.failed(new Error('no'), stopping.signal)
  stopping.abort()
  await waiting
  assert.equal(clock.untilNextMs(), undefined)
})
