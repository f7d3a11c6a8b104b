/** Proves what is asked again: what was never sent, and what may be repeated, within bounds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { advanceUntil } from '@quartet/kit/testing'
import { openGateway } from './gateway.fixture.ts'

const failing = (code: string) =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })

/** A gateway whose services fail so for the first `times` requests; what they got in the end. */
function openFailing(code: string, times: number) {
  const seen: { method: string; key: string | null; body: string }[] = []
  let left = times
  const gateway = openGateway(
    {},
    {
      async fetch(url, init) {
        const request = new Request(url, init)
        const key = request.headers.get('idempotency-key')
        seen.push({ method: request.method, key, body: await request.text() })
        left -= 1
        if (left >= 0) throw failing(code)
        return Response.json({}, { status: 201 })
      },
    },
  )
  const ask = (path: string, init?: RequestInit) =>
    advanceUntil(gateway.clock, gateway.ask(path, init))
  return { ...gateway, ask, seen }
}

const order = { method: 'POST', body: '{"x":1}', headers: { 'content-type': 'application/json' } }

test('what was refused is held and sent again, whatever it is, until somebody listens', async () => {
  const shop = openFailing('ECONNREFUSED', 5)
  assert.equal((await shop.ask('/api/sessions', order)).status, 201)
  assert.equal(shop.seen.length, 6)
  assert.deepEqual(new Set(shop.seen.map(({ body }) => body)), new Set(['{"x":1}']))
})

test('what is refused for 5 s is given up with a 503 that names the service', async () => {
  const shop = openFailing('ECONNREFUSED', 1_000_000)
  const from = shop.clock.now()
  const answer = await shop.ask('/api/orders', order)
  assert.equal(answer.status, 503)
  assert.equal(((await answer.json()) as { service: string }).service, 'orders')
  assert.ok(shop.clock.now() - from >= 5_000 && shop.clock.now() - from < 6_000)
})

test('a reset POST is sent again under one key: the client’s, or one that is made for it', async () => {
  const made = openFailing('ECONNRESET', 1)
  assert.equal((await made.ask('/api/orders', order)).status, 201)
  const [first, second] = made.seen
  assert.equal(made.seen.length, 2)
  assert.ok(first?.key !== null && first?.key === second?.key)
  const own = openFailing('UND_ERR_SOCKET', 1)
  await own.ask('/api/orders', { ...order, headers: { ...order.headers, 'idempotency-key': 'k' } })
  assert.deepEqual(
    own.seen.map(({ key }) => key),
    ['k', 'k'],
  )
})

test('a reset log-in is not repeated: it saves no answer, so it has no key', async () => {
  const shop = openFailing('ECONNRESET', 1)
  const answer = await shop.ask('/api/sessions', order)
  assert.deepEqual([answer.status, shop.seen.length, shop.seen[0]?.key], [503, 1, null])
})

test('GET, PUT and DELETE are repeated after a reset; what a service answers never is', async () => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const shop = openFailing('ECONNRESET', 1)
    assert.equal((await shop.ask('/api/products/p', { method })).status, 201)
    assert.equal(shop.seen.length, 2)
  }
  let asked = 0
  const busy = openGateway({
    orders() {
      asked += 1
      return Response.json({}, { status: 503, headers: { 'retry-after': '1' } })
    },
  })
  assert.equal((await busy.ask('/api/orders')).status, 503)
  assert.equal(asked, 1)
})

test('a service that keeps resetting gets at most a tenth more than it was sent', async () => {
  const shop = openFailing('ECONNRESET', 1_000_000)
  const count = 1_000
  for (let n = 0; n < count; n += 1) await shop.ask('/api/products/p')
  assert.ok(shop.seen.length <= count * 1.1 + 10, `${shop.seen.length} for ${count}`)
})
