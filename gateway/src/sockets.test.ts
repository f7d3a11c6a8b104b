/** Proves the gateway over real sockets: bodies, streams, paths, connections that break, and clients that leave. */
import assert from 'node:assert/strict'
import { createServer, request, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { createIds } from '@quartet/kit/ids'
import { silentLog } from '@quartet/kit/log'
import { realRandom } from '@quartet/kit/random'
import { listen } from '@quartet/kit/server'
import { realClock, realTimers } from '@quartet/kit/time'
import { gatewayService } from './app.ts'
import { config } from './gateway.fixture.ts'
import { createStreamFetch } from './stream-fetch.ts'

const host = '127.0.0.1'
const closing: (() => Promise<void>)[] = []
after(async () => {
  for (const close of closing) await close()
})

/** A service that says just what it likes, and a gateway before it; the gateway's origin. */
async function open(service: RequestListener): Promise<string> {
  const upstream = createServer(service)
  await new Promise<void>((resolve) => upstream.listen(0, host, resolve))
  const url = `http://${host}:${(upstream.address() as AddressInfo).port}`
  const free = await listen(() => new Response(), { host, port: 0 })
  await free.close(0)
  const app = gatewayService.createApp({
    config: {
      ...config,
      USERS_URL: url,
      PRODUCTS_URL: url,
      ORDERS_URL: `http://${host}:${free.port}`,
    },
    clock: realClock,
    timers: realTimers,
    random: realRandom,
    ids: createIds(realClock, realRandom),
    fetch: createStreamFetch(),
    log: silentLog,
  })
  const edge = await listen(app.fetch, { host, port: 0 })
  closing.push(async () => {
    await edge.close(0)
    upstream.close()
    upstream.closeAllConnections()
  })
  return `http://${host}:${edge.port}`
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** By node:http, which sends what it is told as it is, and reads no more than it is asked for. */
const getPlain = (base: string, path: string, { method = 'GET', body = '' } = {}) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    const { hostname, port } = new URL(base)
    const headers = body === '' ? {} : { 'content-length': body.length }
    const options = { hostname, port, path, method, headers, agent: false }
    request(options, resolve).on('error', reject).end(body)
  })

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve))
}

test('bodies of every size go through, HEAD and empty answers too', async () => {
  const base = await open((asked, response) => {
    void textOf(asked).then((body) => {
      if (asked.method === 'DELETE') return response.writeHead(204).end()
      response.setHeader('x-seen', asked.method ?? '')
      const from = asked.headers['x-forwarded-for']
      return response.end(JSON.stringify({ body, from }))
    })
  })
  for (const length of [0, 1, 70_000, 256 * 1024]) {
    const body = 'x'.repeat(length)
    const response = await fetch(`${base}/api/users`, { method: 'POST', body })
    assert.deepEqual(await response.json(), { body, from: host })
  }
  const head = await fetch(`${base}/api/users`, { method: 'HEAD' })
  assert.deepEqual([head.headers.get('x-seen'), await head.text()], ['HEAD', ''])
  const gone = await fetch(`${base}/api/users/u`, { method: 'DELETE' })
  assert.deepEqual([gone.status, await gone.text()], [204, ''])
})

test('no path climbs out of its service, and no redirect is followed', async () => {
  const reached: string[] = []
  const base = await open((asked, response) => {
    reached.push(asked.url ?? '')
    response.writeHead(302, { location: '/metrics' }).end()
  })
  for (const path of ['/api/users/../metrics', '/api/users/%2e%2e/metrics']) {
    assert.equal((await getPlain(base, path)).statusCode, 404, path)
  }
  assert.equal((await getPlain(base, '/api/users/usr_1')).statusCode, 302)
  assert.deepEqual(reached, ['/users/usr_1'])
})

test('a body that means nothing goes no further, nor does TRACE', async () => {
  const reached: string[] = []
  const base = await open((asked, response) => {
    reached.push(`${asked.method} ${asked.headers['content-length']}`)
    response.end()
  })
  assert.equal((await getPlain(base, '/api/users', { body: 'hello' })).statusCode, 200)
  assert.equal((await getPlain(base, '/api/users', { method: 'TRACE' })).statusCode, 405)
  assert.deepEqual(reached, ['GET undefined'])
})

test('an answer that is here with its head goes on with its length, each cookie on its own', async () => {
  const base = await open((_request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
    void turns(20).then(() =>
      response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'], 'content-length': 4 }).end('here'),
    )
  })
  const answer = await getPlain(base, '/api/users')
  assert.deepEqual([answer.statusCode, await textOf(answer)], [200, 'here'])
  assert.equal(answer.headers['content-length'], '4')
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2'])
  assert.equal(answer.headers['cache-control'], 'no-store')
})

test('an answer is passed on while it is still being made', async () => {
  let finish = () => {}
  const base = await open((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: first\n\n')
    finish = () => response.end()
  })
  const response = await fetch(`${base}/api/users/usr_1/events`)
  const reader = (response.body ?? assert.fail('no body')).getReader()
  const { value } = await reader.read()
  assert.equal(Buffer.from(value ?? []).toString(), 'event: first\n\n')
  finish()
  assert.equal((await reader.read()).done, true)
})

test('a large answer comes whole, no faster than the client reads it', async () => {
  const [chunk, chunks] = [Buffer.alloc(64 * 1024, 'x'), 1_000]
  let written = 0
  const base = await open((_request, response) => {
    const write = () => {
      while (written < chunks) {
        written += 1
        if (!response.write(chunk)) return void response.once('drain', write)
      }
      response.end()
    }
    write()
  })
  const answer = await getPlain(base, '/api/users')
  // Whoever holds nothing back has all of it long before.
  for (let n = 0; n < 100 && written < chunks; n += 1) await turns(50)
  assert.ok(written < chunks / 2, `${written} of ${chunks} were taken while nobody read`)
  let size = 0
  for await (const each of answer) size += (each as Buffer).length
  assert.equal(size, chunks * chunk.length)
})

test('an answer that breaks off breaks off for the client too', async () => {
  const base = await open((_request, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('half', () => setImmediate(() => response.destroy()))
  })
  await assert.rejects(fetch(`${base}/api/users`).then((response) => response.text()))
})

test('a client that leaves ends its request at the service: before the answer, and in it', async () => {
  for (const begins of [false, true]) {
    const asked = Promise.withResolvers<void>()
    const left = Promise.withResolvers<boolean>()
    const base = await open((_request, response) => {
      response.on('close', () => left.resolve(response.writableEnded))
      if (begins) response.write('first')
      asked.resolve()
    })
    const abort = new AbortController()
    const answer = fetch(`${base}/api/users`, { signal: abort.signal })
    answer.catch(() => {})
    await asked.promise
    if (begins) await answer
    abort.abort()
    assert.equal(await left.promise, false)
  }
})

test('a refused connection is a 503 that names the service', async () => {
  const base = await open((_request, response) => response.end('{}'))
  const down = await fetch(`${base}/api/orders`, { method: 'POST', body: '{}' })
  const { code, service } = (await down.json()) as Record<string, unknown>
  assert.deepEqual([down.status, code, service], [503, 'service_unavailable', 'orders'])
  assert.equal((await fetch(`${base}/api/users`)).status, 200)
})
