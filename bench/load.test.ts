import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { findGenerator, send, type Load } from './load.ts'

type Seen = { path: string; token: string; key: string; body: string }

const seen: Seen[] = []
const server = createServer((request, response) => {
  let body = ''
  request.setEncoding('utf8').on('data', (text: string) => (body += text))
  request.on('end', () => {
    const { authorization = '', 'idempotency-key': key = '' } = request.headers
    seen.push({ path: request.url ?? '', token: authorization, key: String(key), body })
    response.statusCode = body.includes('"n":2') ? 409 : 201
    response.end('{"code":"why"}')
  })
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
after(() => server.close())

const load: Load = {
  origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  method: 'POST',
  paths: ['/things'],
  headers: [{ Authorization: 'Bearer a' }, { Authorization: 'Bearer "b"' }],
  bodies: ['{"n":1}', '{"n":2}', '{"n":3}'],
  keyPrefix: 'k-',
  countStatuses: true,
  connections: 3,
  seconds: 1,
}

for (const generator of new Set([findGenerator(), 'undici'] as const)) {
  test(`${generator} takes tokens and bodies in turn, with a key of its own on each request`, async () => {
    seen.length = 0
    const result = await send(generator, load)
    assert.ok(result.requests > 10)
    assert.equal(new Set(seen.map(({ key }) => key)).size, seen.length)
    for (const { path, token, key, body } of seen) {
      const n = Number(/^k-(\d+)$/.exec(key)?.[1]) - 1
      assert.equal(path, '/things')
      assert.equal(token, load.headers[n % 2]?.['Authorization'])
      assert.equal(body, load.bodies[n % 3])
    }
  })

  test(`${generator} counts each status, and shows what a refusal said`, async () => {
    const { statuses, requests, failed, example, p50Ms, p99Ms } = await send(generator, load)
    assert.deepEqual(Object.keys(statuses).toSorted(), ['201', '409'])
    assert.equal((statuses['201'] ?? 0) + (statuses['409'] ?? 0), requests)
    assert.equal(failed, statuses['409'])
    assert.match(example ?? '', /why/)
    assert.ok(p50Ms > 0 && p50Ms <= p99Ms)
  })
}
