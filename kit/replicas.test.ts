/** Proves who is asked next, who is left out and for how long, and how failures are told apart. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { test } from 'node:test'
import { createBalancedFetch, failureOf } from './replicas.ts'
import { createTestClock } from './testing.ts'
import { realTimers } from './time.ts'
import { withTimeout } from './timeout.ts'

const ORIGIN = 'http://things.test'
const A = 'http://a.test'
const B = 'http://b.test'

const refused = () =>
  new TypeError('fetch failed', {
    cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
  })

/** Balances over a and b; `fail` makes a replica fail so, `hold` makes it answer when it is let go. */
function open(origins = [A, B]) {
  const clock = createTestClock()
  const asked: string[] = []
  const failing = new Map<string, () => Error>()
  const held = new Map<string, (() => void)[]>()
  const { fetch, setReplicas } = createBalancedFetch(
    async (url) => {
      const { origin } = new URL(url)
      asked.push(origin)
      const waiting = held.get(origin)
      if (waiting !== undefined) await new Promise<void>((resolve) => waiting.push(resolve))
      const failure = failing.get(origin)
      if (failure !== undefined) throw failure()
      return new Response(url)
    },
    { clock, random: { fraction: () => 0.5, bytes: () => new Uint8Array() } },
  )
  setReplicas({ [ORIGIN]: origins })
  return {
    clock,
    fetch,
    setReplicas,
    failing,
    held,
    /** Who is asked by so many requests, one after the other. */
    askedFor: async (count: number): Promise<string[]> => {
      asked.length = 0
      for (let n = 0; n < count; n += 1) await fetch(`${ORIGIN}/x`).catch(() => {})
      return [...asked]
    },
    asked,
  }
}

const share = (asked: string[], origin: string) => asked.filter((each) => each === origin).length

test('an origin without known replicas is asked itself, with path and query', async () => {
  const { fetch, setReplicas } = open()
  setReplicas({ [ORIGIN]: [] })
  assert.equal(await (await fetch(`${ORIGIN}/x?y=1`)).text(), `${ORIGIN}/x?y=1`)
  setReplicas({ [ORIGIN]: [A] })
  assert.equal(await (await fetch(`${ORIGIN}/x?y=1`)).text(), `${A}/x?y=1`)
})

test('replicas are asked in turn, also by a caller that asks two origins by turns', async () => {
  const { fetch, setReplicas, asked } = open()
  setReplicas({ [ORIGIN]: [A, B], 'http://others.test': ['http://c.test', 'http://d.test'] })
  for (let n = 0; n < 10; n += 1) {
    await fetch(`${ORIGIN}/x`)
    await fetch('http://others.test/x')
  }
  assert.equal(share(asked, A), 5)
  assert.equal(share(asked, 'http://c.test'), 5)
})

test('the replica with the fewest requests under way is asked', async () => {
  const { fetch, held, asked } = open()
  held.set(A, [])
  const first = Promise.all(Array.from({ length: 2 }, () => fetch(`${ORIGIN}/x`)))
  assert.equal(share(asked, A), 1)
  for (let n = 0; n < 10; n += 1) await fetch(`${ORIGIN}/x`)
  assert.equal(share(asked, A), 1, 'it has one under way, the other none')
  for (const letGo of held.get(A) ?? []) letGo()
  await first
})

test('one that refused is left out for 1 s, tried by one request, and left out ever longer', async () => {
  const { askedFor, failing, clock } = open()
  failing.set(A, refused)
  assert.equal(share(await askedFor(20), A), 1)
  for (const outMs of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
    await clock.advance(outMs - 1)
    assert.equal(share(await askedFor(20), A), 0, `${outMs} ms are not over`)
    await clock.advance(1)
    assert.equal(share(await askedFor(20), A), 1, `one trial after ${outMs} ms`)
  }
  failing.clear()
  await clock.advance(10_000)
  assert.equal(share(await askedFor(20), A), 10, 'it is back')
  failing.set(A, refused)
  await askedFor(2)
  await clock.advance(1_000)
  assert.equal(share(await askedFor(20), A), 1, 'and begins with 1 s again')
})

test('a replica on trial has that one request, until it answers', async () => {
  const { fetch, askedFor, failing, held, clock } = open()
  failing.set(A, refused)
  await askedFor(2)
  failing.clear()
  held.set(A, [])
  await clock.advance(1_000)
  const some = Array.from({ length: 2 }, () => fetch(`${ORIGIN}/x`))
  assert.equal(share(await askedFor(10), A), 0)
  for (const letGo of held.get(A) ?? []) letGo()
  await Promise.all(some)
  held.clear()
  assert.equal(share(await askedFor(10), A), 5)
})

test('many that fail at once put a replica out once', async () => {
  const { fetch, askedFor, failing, held, clock } = open()
  held.set(A, []).set(B, [])
  const many = Array.from({ length: 20 }, () => fetch(`${ORIGIN}/x`))
  failing.set(A, refused)
  for (const letGo of [...(held.get(A) ?? []), ...(held.get(B) ?? [])]) letGo()
  await Promise.allSettled(many)
  failing.clear()
  held.clear()
  assert.equal(share(await askedFor(10), A), 0)
  await clock.advance(1_000)
  assert.ok(share(await askedFor(10), A) > 1)
})

test('when all are out the one that is back soonest is asked', async () => {
  const { fetch, askedFor, failing, clock } = open()
  failing.set(A, refused)
  await askedFor(2)
  await clock.advance(500)
  failing.set(B, refused)
  await askedFor(1)
  assert.deepEqual(await askedFor(1), [A])
  failing.clear()
  assert.equal((await fetch(`${ORIGIN}/x`)).status, 200)
})

test('who is in a hurry puts nobody out, nor does a caller that went away', async () => {
  const { fetch, askedFor, failing, held, clock } = open()
  const failAfter = async (ms: number, name: string) => {
    for (const origin of [A, B]) held.set(origin, [])
    for (const origin of [A, B]) failing.set(origin, () => new DOMException('given up', name))
    const asking = fetch(`${ORIGIN}/x`)
    await clock.advance(ms)
    for (const letGo of [...held.values()].flat()) letGo()
    await assert.rejects(asking)
    held.clear()
    failing.clear()
    return share(await askedFor(10), A)
  }
  assert.equal(await failAfter(999, 'TimeoutError'), 5)
  assert.equal(await failAfter(5_000, 'AbortError'), 5)
  assert.ok([0, 10].includes(await failAfter(1_000, 'TimeoutError')))
})

test('what stays known keeps its standing; what is known anew has a clean one', async () => {
  const { askedFor, failing, setReplicas } = open()
  failing.set(A, refused)
  await askedFor(2)
  setReplicas({ [ORIGIN]: [B, A] })
  assert.equal(share(await askedFor(10), A), 0)
  setReplicas({ [ORIGIN]: [B] })
  setReplicas({ [ORIGIN]: [B, A] })
  assert.equal(share(await askedFor(10), A), 1)
})

test('real failures are told apart: refused, reset, time-out', async () => {
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
  assert.equal(await failureAt(port), 'refused')
  const resets = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
  assert.equal(await failureOn(resets), 'reset')
  const closes = createServer((socket) => socket.once('data', () => socket.destroy()))
  assert.equal(await failureOn(closes), 'reset')
  assert.equal(await failureOn(createServer()), 'timeout')
  assert.equal(failureOf(new Error('something else')), 'other')
  assert.equal(failureOf(undefined), 'other')
})

async function failureOn(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  try {
    return await failureAt(typeof address === 'object' ? (address?.port ?? 0) : 0)
  } finally {
    server.close()
  }
}

async function failureAt(port: number): Promise<string> {
  try {
    await withTimeout(realTimers, 200, (signal) => fetch(`http://127.0.0.1:${port}`, { signal }))
    return 'answered'
  } catch (error) {
    return failureOf(error)
  }
}
