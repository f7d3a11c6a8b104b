/** Proves the door: what is shed and how it is told, what is let in always, and that it costs next to nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admit, type Kind } from './admission.ts'
import { createMetrics, metricsText } from './telemetry.ts'
import { createTestClock } from './testing.ts'

const KINDS: Record<string, Kind> = { 'GET /things': 'browsing', 'POST /things': 'work' }

/** A server that holds every request until `answer`. */
function open(status = 201, sleep?: (delayMs: number) => Promise<void>) {
  const clock = createTestClock()
  const metrics = createMetrics('test')
  const waiting: (() => void)[] = []
  const fetch = admit(
    () => new Promise((resolve) => waiting.push(() => resolve(new Response(null, { status })))),
    { clock, timers: { ...clock.timers, ...(sleep && { sleep }) } },
    { targetMs: 500, kindOf: (method, path) => KINDS[`${method} ${path}`], metrics },
  )
  const send = (method: string, path: string) =>
    fetch(new Request(`http://things.test${path}`, { method }))
  return {
    clock,
    send,
    waiting,
    metrics: () => metricsText(metrics),
    answer: () => waiting.splice(0).forEach((answer) => answer()),
    fill: (method: string, count: number) =>
      Promise.all(Array.from({ length: count }, () => send(method, '/things'))),
  }
}

test('above the limit a request is shed with 503, a code and Retry-After, and nothing is done', async () => {
  const { fill, send, waiting, metrics, answer, clock } = open()
  const asked = fill('POST', 1_024)
  const shed = send('POST', '/things?x=1')
  await clock.advance(250)
  const response = await shed
  assert.equal(waiting.length, 1_024)
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('retry-after'), '1')
  assert.equal(response.headers.get('content-type'), 'application/problem+json')
  const { code, instance } = (await response.json()) as Record<string, unknown>
  assert.deepEqual({ code, instance }, { code: 'overloaded', instance: '/things' })
  const text = await metrics()
  assert.match(text, /requests_shed_total\{.*outcome="work".*\} 1/)
  assert.match(text, /admission_under_way\{.*\} 1024/)
  answer()
  await asked
  void send('POST', '/things')
  assert.equal(waiting.length, 1, 'there is room again')
})

test('browsing has seven tenths of the room, and work the rest too', async () => {
  const { fill, send, waiting, clock } = open()
  void fill('GET', 717)
  const shed = send('GET', '/things')
  await clock.advance(250)
  assert.equal((await shed).status, 503)
  void send('POST', '/things')
  assert.equal(waiting.length, 718)
})

test('what has no kind is let in always', () => {
  const { fill, send, waiting } = open()
  void fill('POST', 2_000)
  const before = waiting.length
  for (const path of ['/health/live', '/commands/make', '/things/1/cancel']) void send('POST', path)
  assert.equal(waiting.length, before + 3)
})

test('refusals are told after 250 ms, but only so many wait: one more is told at once', async () => {
  const sleeps: { delayMs: number; wake: () => void }[] = []
  const sleep = (delayMs: number) => new Promise<void>((wake) => sleeps.push({ delayMs, wake }))
  const { fill, send } = open(201, sleep)
  void fill('POST', 1_024)
  const refused = fill('POST', 4_096)
  assert.equal((await send('POST', '/things')).status, 503)
  assert.deepEqual([sleeps.length, sleeps[0]?.delayMs], [4_096, 250])
  for (const { wake } of sleeps) wake()
  for (const { status } of await refused) assert.equal(status, 503)
  void send('POST', '/things')
  assert.equal(sleeps.length, 4_097)
})

test('a request that fails leaves its room', async () => {
  const fetch = admit(() => Promise.reject(new Error('broken')), createWorld(), {
    targetMs: 500,
    kindOf: () => 'work',
  })
  for (let n = 0; n < 2_000; n += 1) {
    await assert.rejects(fetch(new Request('http://things.test/things')), /broken/)
  }
})

function createWorld() {
  const clock = createTestClock()
  return { clock, timers: clock.timers }
}

test('slow answers shrink the limit, unless a peer was what was slow (202)', async () => {
  for (const status of [202, 201]) {
    const { fill, answer, clock, waiting } = open(status)
    for (let n = 0; n < 4; n += 1) {
      const asked = fill('POST', 1_024)
      await clock.advance(5_000)
      answer()
      await asked
      await clock.advance(100)
    }
    void fill('POST', 1_024)
    assert.equal(waiting.length, status === 202 ? 1_024 : 64)
  }
})
