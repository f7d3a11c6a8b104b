/** Proves what identifies a request on its way, and what an answer says to browsers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openGateway } from './gateway.fixture.ts'

const TRACEPARENT = /^00-[\da-f]{32}-[\da-f]{16}-01$/

async function seenBy(headers: Record<string, string>) {
  const answer = await openGateway().ask('/api/products', { headers })
  const { headers: seen } = (await answer.json()) as { headers: Record<string, string> }
  return { seen, answer }
}

test('a request gets an id and a trace, which go on to the service; the id comes back', async () => {
  const { seen, answer } = await seenBy({})
  assert.match(seen['traceparent'] ?? '', TRACEPARENT)
  assert.match(seen['x-request-id'] ?? '', /^req_/)
  assert.equal(answer.headers.get('x-request-id'), seen['x-request-id'])
})

test('the length of a body that is not sent on is not told either', async () => {
  const { seen } = await seenBy({ 'content-length': '5' })
  assert.equal(seen['content-length'], undefined)
})

test('what a client brings is kept when it is well-formed, and replaced when it is not', async () => {
  const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-00`
  const good = { 'x-request-id': 'my-request-1', traceparent, tracestate: 'a=b' }
  const kept = await seenBy(good)
  for (const [name, value] of Object.entries(good)) assert.equal(kept.seen[name], value)
  const bad: Record<string, string>[] = [
    { 'x-request-id': 'short', traceparent: 'nonsense', tracestate: 'a=b' },
    {
      'x-request-id': 'has spaces in it',
      traceparent: `00-${'0'.repeat(32)}-${'cd'.repeat(8)}-00`,
    },
    { 'x-request-id': 'x'.repeat(200), traceparent: `ff-${'ab'.repeat(16)}-${'cd'.repeat(8)}-00` },
  ]
  for (const headers of bad) {
    const { seen } = await seenBy(headers)
    assert.match(seen['x-request-id'] ?? '', /^req_/)
    assert.match(seen['traceparent'] ?? '', TRACEPARENT)
    assert.equal(seen['tracestate'], undefined)
  }
})

test('every answer says what it is not: no page, no frame, no other type, nobody else’s', async () => {
  const { ask } = openGateway()
  for (const path of ['/', '/api/products', '/api/nothing', '/health/ready']) {
    const { headers } = await ask(path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/, path)
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin', path)
    assert.equal(headers.get('strict-transport-security'), null, path) // this one is plain http
    assert.equal(headers.get('access-control-allow-origin'), null, path)
    assert.ok(headers.has('x-request-id'), path)
  }
  assert.equal((await ask('/api/products')).headers.get('cache-control'), null)
  const personal = await ask('/api/orders', { headers: { authorization: 'Bearer a.b.c' } })
  assert.equal(personal.headers.get('cache-control'), 'no-store')
})

test('a deadline travels: the client’s when it is shorter, never a longer one, and no nonsense', async () => {
  const left = async (said: string) => (await seenBy({ 'x-request-timeout-ms': said })).seen
  assert.equal((await left('1500'))['x-request-timeout-ms'], '1500')
  assert.equal((await left('90000'))['x-request-timeout-ms'], '30000')
  const answer = await openGateway().ask('/api/products', {
    headers: { 'x-request-timeout-ms': 'soon' },
  })
  assert.equal(answer.status, 400)
})

test('a service that hangs leaves room for the others', async () => {
  const { config } = await import('./gateway.fixture.ts')
  const { ask } = openGateway(
    { orders: () => new Promise<Response>(() => {}) },
    { config: { ...config, MAX_UNDER_WAY: 3 } },
  )
  const stuck = [1, 2, 3].map(() => ask('/api/orders'))
  assert.equal((await ask('/api/orders')).status, 503)
  assert.equal((await ask('/api/products')).status, 200)
  assert.equal(stuck.length, 3)
})
