/** Owns the proof of the gateway: what it routes, what it keeps out, and what a dead service costs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { ANSWER_TIMEOUT_MS } from './forward.ts'
import { openGateway, type Handler } from './gateway.fixture.ts'

const echoed = z.object({
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
})

const problem = z.object({
  status: z.int(),
  code: z.string(),
  title: z.string(),
  error: z.string(),
  service: z.string().optional(),
})

async function assertProblem(response: Response, status: number, code: string) {
  assert.equal(response.status, status)
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/)
  const document = problem.parse(await response.json())
  assert.deepEqual([document.status, document.code], [status, code])
  return document
}

test('each public path goes to its service, without /api, with its query', async () => {
  const { ask } = openGateway()
  const cases = {
    '/api/users': 'http://users.test/users',
    '/api/users/usr_1?x=1&y=%2F': 'http://users.test/users/usr_1?x=1&y=%2F',
    '/api/sessions/refresh': 'http://users.test/sessions/refresh',
    '/api/products?category=a%20b': 'http://products.test/products?category=a%20b',
    '/api/orders/ord_1/cancel': 'http://orders.test/orders/ord_1/cancel',
    '/api/payments/pay_1': 'http://payments.test/base/payments/pay_1',
    '/api/ledger/accounts': 'http://payments.test/base/ledger/accounts',
    '/api/webhooks/simulated': 'http://payments.test/base/webhooks/simulated',
  }
  for (const [path, url] of Object.entries(cases)) {
    const response = await ask(path)
    assert.equal(response.status, 200, path)
    const seen = await response.text()
    // The network of the test answers by origin, so payments' base path stays in the URL.
    assert.equal(echoed.parse(JSON.parse(seen)).url, url)
  }
})

test('what is not public is not there: commands, metrics, key sets, and ways around', async () => {
  const { ask } = openGateway({ users: () => assert.fail('reached'), orders: () => assert.fail() })
  const paths = [
    '/api',
    '/api/',
    '/api/commands/reserve',
    '/api/metrics',
    '/api/.well-known/jwks.json',
    '/api/health/live',
    '/api/constructor',
    '/api/usersx',
    '/api//users',
    '/api/Users',
    '/users',
    '/commands/reserve',
    '/.well-known/jwks.json',
    '/api/users/../commands/reserve',
    '/api/users/%2e%2e/commands/reserve',
    '/api/users/..\\metrics',
    '/api/users/x/../../metrics',
    '/x/../metrics/users',
  ]
  for (const path of paths) await assertProblem(await ask(path), 404, 'not_found')
})

test('an encoded slash stays inside its service', async () => {
  const { ask } = openGateway()
  const response = await ask('/api/users/..%2fmetrics')
  const { url } = echoed.parse(await response.json())
  assert.equal(url, 'http://users.test/users/..%2fmetrics')
})

test('method, body and headers pass; what belongs to a connection, or is only claimed, does not', async () => {
  const { ask } = openGateway()
  const kept = {
    authorization: 'Bearer a.b.c',
    'content-type': 'application/json',
    'idempotency-key': 'key-1',
    'if-match': '"3"',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  }
  const dropped = {
    te: 'trailers',
    'proxy-authorization': 'Basic x',
    expect: '100-continue',
    forwarded: 'for=9.9.9.9',
    'x-real-ip': '9.9.9.9',
  }
  const claimed = { 'x-forwarded-for': '9.9.9.9', 'x-forwarded-host': 'evil.test' }
  const headers = { ...kept, ...dropped, ...claimed, 'x-forwarded-proto': 'gopher' }
  const init = { method: 'PUT', body: '{"name":"Ada"}', headers }
  const seen = echoed.parse(await (await ask('/api/users/u', init, '10.1.2.3')).json())
  assert.equal(seen.method, 'PUT')
  assert.equal(seen.body, init.body)
  for (const [name, value] of Object.entries(kept)) assert.equal(seen.headers[name], value)
  for (const name of Object.keys(dropped)) assert.equal(seen.headers[name], undefined, name)
  assert.equal(seen.headers['x-forwarded-for'], '10.1.2.3')
  assert.equal(seen.headers['x-forwarded-host'], 'shop.test')
  assert.equal(seen.headers['x-forwarded-proto'], 'http')
})

test('a webhook passes as it was signed: body and signature as they are, no session, no key', async () => {
  const { ask } = openGateway()
  const body = '{ "id": "evt_1",\n"note": "ü" }'
  const headers = { 'content-type': 'application/json', 'provider-signature': 't=1,v1=ab' }
  const init = { method: 'POST', body, headers }
  const seen = echoed.parse(await (await ask('/api/webhooks/simulated', init)).json())
  assert.equal(seen.body, body)
  assert.equal(seen.headers['provider-signature'], 't=1,v1=ab')
  for (const name of ['idempotency-key', 'authorization', 'cookie']) {
    assert.equal(seen.headers[name], undefined, name)
  }
})

test('answers pass as they are: problems, empty ones, and a Location that leads back here', async () => {
  const { ask } = openGateway({
    users: (request) => {
      if (request.method === 'DELETE') return new Response(null, { status: 204 })
      if (request.method === 'POST') {
        const headers = { location: '/users/usr_1', etag: '"1"', connection: 'close' }
        return Response.json({ id: 'usr_1' }, { status: 201, headers })
      }
      const type = { 'content-type': 'application/problem+json' }
      return new Response('{"error":"User not found"}', { status: 404, headers: type })
    },
    products: () => new Response(null, { status: 302, headers: { location: 'http://else.test/' } }),
  })
  const gone = await ask('/api/sessions/current', { method: 'DELETE' })
  assert.deepEqual([gone.status, await gone.text()], [204, ''])
  const made = await ask('/api/users', { method: 'POST', body: '{}' })
  assert.equal(made.status, 201)
  assert.equal(made.headers.get('location'), '/api/users/usr_1')
  assert.equal(made.headers.get('etag'), '"1"')
  assert.equal(made.headers.get('connection'), null)
  const missing = await ask('/api/users/none')
  assert.deepEqual([missing.status, await missing.text()], [404, '{"error":"User not found"}'])
  const moved = await ask('/api/products')
  assert.deepEqual([moved.status, moved.headers.get('location')], [302, 'http://else.test/'])
})

test('a service that is down costs its own routes alone: 503 with its name and Retry-After', async () => {
  const { ask } = openGateway({ orders: undefined })
  const response = await ask('/api/orders')
  assert.equal(response.headers.get('retry-after'), '1')
  const { service, error } = await assertProblem(response, 503, 'service_unavailable')
  assert.equal(service, 'orders')
  assert.equal(error, 'The orders service is not available')
  for (const path of ['/api/users', '/api/products', '/api/payments', '/health/ready']) {
    assert.equal((await ask(path)).status, 200)
  }
})

test('a service that is silent for 30 s is given up, and told so', async () => {
  let aborted = false
  const silent: Handler = (request) =>
    new Promise((_resolve, reject) => {
      request.signal.addEventListener('abort', () => {
        aborted = true
        reject(new DOMException('aborted', 'AbortError'))
      })
    })
  const { ask, clock } = openGateway({ payments: silent })
  const asked = ask('/api/payments', { method: 'POST', body: '{}' })
  await clock.advance(ANSWER_TIMEOUT_MS - 1)
  assert.equal(aborted, false)
  await clock.advance(1)
  const { service } = await assertProblem(await asked, 503, 'service_timeout')
  assert.equal(service, 'payments')
  assert.equal(aborted, true)
})

test('a body past 256 KiB is refused, with and without a length', async () => {
  const { ask } = openGateway({ users: () => assert.fail('reached') })
  const large = 'x'.repeat(256 * 1024 + 1)
  const headers = { 'content-length': String(large.length) }
  const counted = await ask('/api/users', { method: 'POST', body: large, headers })
  await assertProblem(counted, 413, 'too_large')
  const streamed = { method: 'POST', body: new Blob([large]).stream(), duplex: 'half' } as const
  await assertProblem(await ask('/api/users', streamed), 413, 'too_large')
})

test('it tells what is where, whether it is alive and ready, and how long requests took', async () => {
  const { app, ask } = openGateway()
  const index = z.object({ routes: z.record(z.string(), z.string()) })
  const { routes } = index.parse(await (await ask('/')).json())
  assert.equal(routes['/api/ledger'], 'payments')
  await ask('/api/users/usr_1')
  const metrics = await (await ask('/metrics')).text()
  assert.match(metrics, /duration_seconds_count\{.*route="users",status="200".*\} 1/)
  assert.ok(!metrics.includes('usr_1'))
  await app.stop()
  assert.equal((await ask('/health/live')).status, 200)
  assert.equal((await ask('/health/ready')).status, 503)
})
