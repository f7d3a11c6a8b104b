/** Proves who is asked: the least busy in turn, not one that failed a moment ago, and somebody always. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import type { AddressInfo } from 'node:net'
import { createBalancedFetch, failureOf } from './replicas.ts'
import { createTestClock } from './testing.ts'
import { withTimeout } from './timeout.ts'
import { realTimers } from './time.ts'

const ORIGIN = 'http://things.test'
const [A, B, C] = ['http://a.test', 'http://b.test', 'http://c.test']

function balanced(replicas = [A, B, C]) {
  const clock = createTestClock()
  const asked: string[] = []
  const failing = new Map<string, Error>()
  const waiting: (() => void)[] = []
  let hold = false
  const random = { fraction: () => 1, bytes: () => new Uint8Array() }
  const peers = createBalancedFetch(
    async (url) => {
      const { origin } = new URL(url)
      asked.push(url)
      const error = failing.get(origin)
      if (error !== undefined) throw error
      if (hold) await new Promise<void>((resolve) => waiting.push(resolve))
      return new Response(origin)
    },
    { clock, random },
  )
  peers.setReplicas({ [ORIGIN]: replicas })
  const ask = async () => (await peers.fetch(`${ORIGIN}/path?x=1`)).text()
  return {
    ...{ peers, clock, asked, failing, ask },
    hold: () => (hold = true),
    release: () => {
      hold = false
      for (const resolve of waiting.splice(0)) resolve()
    },
  }
}

const refusal = () =>
  new TypeError('fetch failed', {
    cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
  })

test('replicas are asked in turn, with the path as it is; an unknown origin is asked itself', async () => {
  const { ask, asked, peers } = balanced()
  const answers = [await ask(), await ask(), await ask(), await ask(), await ask(), await ask()]
  for (const replica of [A, B, C]) {
    assert.equal(answers.filter((answer) => answer === replica).length, 2)
  }
  assert.ok(asked.every((url) => url.endsWith('.test/path?x=1')))
  await peers.fetch('http://other.test/x')
  assert.equal(asked.at(-1), 'http://other.test/x')
  peers.setReplicas({ [ORIGIN]: [] })
  await peers.fetch(`${ORIGIN}/x`)
  assert.equal(asked.at(-1), `${ORIGIN}/x`)
})

test('one that is busy is asked less: a frozen replica keeps what it has, and gets no more', async () => {
  const { ask, asked, hold, release } = balanced([A, B])
  hold()
  const stuck = ask()
  const [busy] = asked.map((url) => new URL(url).origin)
  const others = [ask()]
  release()
  await Promise.all([stuck, ...others])
  assert.notEqual(new URL(asked[1] ?? '').origin, busy)
})

test('one that refused is left out for a while, longer each time, and then tried once more', async () => {
  const { ask, failing, clock, asked } = balanced([A, B])
  failing.set(A, refusal())
  const toA = () => asked.filter((url) => url.startsWith(A)).length
  const askMany = async () => {
    for (let n = 0; n < 6; n += 1) await ask().catch(() => {})
  }
  await askMany()
  assert.equal(toA(), 1)
  await clock.advance(499)
  await askMany()
  assert.equal(toA(), 1)
  await clock.advance(1)
  await askMany()
  assert.equal(toA(), 2) // tried once, out for twice as long
  await clock.advance(999)
  await askMany()
  assert.equal(toA(), 2)
  failing.clear()
  await clock.advance(1)
  await askMany()
  assert.equal(toA(), 2 + 3) // back in turn
})

test('when all are out somebody is asked all the same', async () => {
  const { ask, failing, asked } = balanced([A, B])
  failing.set(A, refusal())
  failing.set(B, refusal())
  for (let n = 0; n < 4; n += 1) await assert.rejects(ask())
  assert.equal(asked.length, 4)
})

test('what the caller does, such as an abort, is not held against a replica', async () => {
  const { ask, failing, asked } = balanced([A, B])
  failing.set(A, new DOMException('gone', 'AbortError'))
  for (let n = 0; n < 4; n += 1) await ask().catch(() => {})
  assert.equal(asked.filter((url) => url.startsWith(A)).length, 2)
})

test('real failures are told apart: refused, reset, too late, given up', async () => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/`
  const failure = (work: Promise<unknown>) => work.then(() => 'none', failureOf)
  assert.equal(await failure(fetch(url)), 'reset')
  server.close()
  assert.equal(await failure(fetch(url)), 'refused')
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve))
  assert.equal(
    await failure(withTimeout(realTimers, 50, (signal) => fetch(url, { signal }))),
    'timeout',
  )
  assert.equal(await failure(fetch(url, { signal: AbortSignal.abort() })), 'other')
  silent.close()
})
