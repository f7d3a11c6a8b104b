/** Proves when a server is taken for silent, and when not: by a clock that only the test moves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSilenceWatch } from './silence.ts'
import { createTestClock } from './testing.ts'

/** A server that answers `ask` by hand, and gives a word as long as `speaks`. */
function open() {
  const clock = createTestClock()
  const asked: PromiseWithResolvers<string>[] = []
  const changes: boolean[] = []
  const server = { speaks: true, words: 0 }
  const watch = createSilenceWatch({
    timers: clock.timers,
    speaks: async () => {
      server.words += 1
      await clock.timers.sleep(1_000)
      return server.speaks
    },
    onChange: (isSilent) => changes.push(isSilent),
  })
  const ask = () => {
    const asking = watch.unlessSilent(() => {
      const answer = Promise.withResolvers<string>()
      asked.push(answer)
      return answer.promise
    })
    asking.then(watch.heard, () => {})
    return asking
  }
  return { clock, server, asked, changes, ask, watch }
}

const isTimeout = { code: 'ETIMEDOUT' }

test('whoever waits for a server that says nothing to anybody is told so, and whoever comes then at once', async () => {
  const { clock, server, asked, changes, ask } = open()
  server.speaks = false
  const both = [ask(), ask()]
  await clock.advance(3_000)
  for (const each of both) await assert.rejects(each, isTimeout)
  const third = ask()
  await clock.advance(0)
  await assert.rejects(third, isTimeout)
  assert.equal(asked.length, 2) // the third was not asked at all
  server.speaks = true
  await clock.advance(1_500)
  const again = ask()
  asked[2]?.resolve('here')
  assert.equal(await again, 'here')
  assert.deepEqual(changes, [true, false])
})

test('the connections that are given up then end, which is no answer: it stays silent until it says a word', async () => {
  const { clock, server, asked, changes, ask } = open()
  server.speaks = false
  const one = ask()
  await clock.advance(3_000)
  await assert.rejects(one, isTimeout)
  asked[0]?.reject(new Error('the connection was terminated'))
  for (let n = 0; n < 5; n += 1) {
    await clock.advance(1_500)
    const next = ask()
    assert.equal(asked.length, 1)
    await clock.advance(0)
    await assert.rejects(next, isTimeout)
  }
  assert.deepEqual(changes, [true])
})

test('one question that takes long is waited for, as long as the server says a word', async () => {
  const { clock, server, asked, changes, ask } = open()
  const slow = ask()
  await clock.advance(8_500)
  asked[0]?.resolve('at last')
  assert.equal(await slow, 'at last')
  assert.equal(server.words, 4)
  assert.deepEqual(changes, [])
})

test('a server that answers others is not asked for a word', async () => {
  const { clock, server, asked, ask } = open()
  server.speaks = false
  const slow = ask()
  for (let n = 1; n <= 9; n += 1) {
    void ask()
    await clock.advance(500)
    asked[n]?.resolve('soon')
  }
  asked[0]?.resolve('at last')
  assert.equal(await slow, 'at last')
  assert.equal(server.words, 0)
})

test('what is had without an answer of the server does not count for one', async () => {
  const { clock, server, changes, watch, ask } = open()
  server.speaks = false
  const slow = ask()
  for (let n = 0; n < 9; n += 1) {
    void watch.unlessSilent(async () => 'lay here').catch(() => {})
    await clock.advance(250)
  }
  assert.deepEqual(changes, [true])
  await assert.rejects(slow, isTimeout)
})

test('an answer that comes while a word is waited for says enough; a failure does not', async () => {
  for (const answer of ['resolve', 'reject'] as const) {
    const { clock, server, asked, changes, ask } = open()
    server.speaks = false
    const [first, second] = [ask(), ask()]
    clock.timers.after(1_500, () => asked[0]?.[answer]('there'))
    await clock.advance(2_000)
    await first.catch(() => {})
    assert.deepEqual([server.words, changes], [1, answer === 'resolve' ? [] : [true]])
    if (answer === 'reject') await assert.rejects(second, isTimeout)
  }
})

test('nothing waits and no timer is left where nobody asks, nor where the watch has stopped', async () => {
  const { clock, asked, ask, watch } = open()
  const one = ask()
  asked[0]?.resolve('soon')
  await one
  await clock.advance(2_000)
  assert.equal(clock.untilNextMs(), undefined)
  void ask()
  watch.stop()
  assert.equal(clock.untilNextMs(), undefined)
})
