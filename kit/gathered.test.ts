/** Proves that what comes in one turn comes together, and that nothing is lost, waited for or left open. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turnOver } from 'node:timers/promises'
import { gathered } from './gathered.ts'

/** An iterable that is given values, as a socket gives messages. */
function createSource() {
  const waiting: number[] = []
  let wake = Promise.withResolvers<void>()
  let ended = false
  let failure: Error | undefined
  let isClosed = false
  const ring = () => wake.resolve()
  async function* values() {
    try {
      for (;;) {
        const value = waiting.shift()
        if (value !== undefined) yield value
        else if (failure !== undefined) throw failure
        else if (ended) return
        else {
          wake = Promise.withResolvers()
          await wake.promise
        }
      }
    } finally {
      isClosed = true
    }
  }
  return {
    values: values(),
    waiting,
    give(...more: number[]) {
      waiting.push(...more)
      ring()
    },
    end() {
      ended = true
      ring()
    },
    fail(error: Error) {
      failure = error
      ring()
    },
    isClosed: () => isClosed,
  }
}

test('what comes in one turn comes together; what comes later comes later', async () => {
  const source = createSource()
  const batches = gathered(source.values, 10)
  const first = batches.next()
  await turnOver()
  source.give(1, 2, 3)
  assert.deepEqual((await first).value, [1, 2, 3])
  const second = batches.next()
  source.give(4)
  assert.deepEqual((await second).value, [4])
  source.give(5, 6)
  source.end()
  assert.deepEqual((await batches.next()).value, [5, 6])
  assert.equal((await batches.next()).done, true)
})

test('no more than so many come together, and the rest is not taken before it is asked for', async () => {
  const source = createSource()
  source.give(...Array.from({ length: 10 }, (_, n) => n))
  const batches = gathered(source.values, 4)
  assert.deepEqual((await batches.next()).value, [0, 1, 2, 3])
  await turnOver()
  assert.equal(source.waiting.length, 5) // one is at hand
  assert.deepEqual((await batches.next()).value, [4, 5, 6, 7])
  assert.deepEqual((await batches.next()).value, [8, 9])
})

test('a failure is thrown after what came before it, and to nobody when nobody asks', async () => {
  const source = createSource()
  const batches = gathered(source.values, 1)
  source.give(1)
  assert.deepEqual((await batches.next()).value, [1])
  source.fail(new Error('lost'))
  await turnOver()
  await turnOver() // an unhandled rejection would end the process
  await assert.rejects(batches.next(), /lost/)
})

test('who has enough closes the source', async () => {
  const source = createSource()
  source.give(1, 2)
  for await (const batch of gathered(source.values, 1)) {
    assert.deepEqual(batch, [1])
    break
  }
  source.end()
  await turnOver()
  assert.equal(source.isClosed(), true)
})
