/** Proves that requests to services give what `fetch` gives: answers, failures, and the caller's own reason. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { failureOf } from '@quartet/kit/failure'
import { toAnswer } from './answer.ts'
import { createStreamFetch } from './stream-fetch.ts'

const fetch = createStreamFetch()
let server: Server
let origin: string
const closed: string[] = []

before(async () => {
  server = createServer((request, response) => {
    response.on('close', () => closed.push(`${request.url} ${response.writableEnded}`))
    if (request.url === '/reset') return void request.socket.destroy()
    if (request.url === '/never') return undefined
    if (request.url === '/begun') return void response.write('first')
    if (request.url === '/large') return void response.end('☃'.repeat(500_000))
    if (request.url === '/half') {
      response.writeHead(200, { 'content-length': '100' })
      return void response.write('half', () => request.socket.destroy())
    }
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (text += chunk))
    request.on('end', () => {
      response.writeHead(418, { 'content-type': 'application/json', 'x-method': request.method })
      const { authorization } = request.headers
      response.end(JSON.stringify({ text, authorization, url: request.url }))
    })
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.close()
  server.closeAllConnections()
})

const failure = (asked: Promise<unknown>) => asked.then(String, failureOf)
const untilClosed = async (what: string) => {
  while (!closed.includes(what)) await new Promise((resolve) => setImmediate(resolve))
}

test('a request arrives as it was meant, and so does its answer, as plain values and for readers', async () => {
  const headers = { authorization: 'Bearer x' }
  const body = new TextEncoder().encode('{"ä":1}')
  const response = await fetch(`${origin}/a?b=c`, { method: 'POST', headers, body })
  assert.deepEqual([response.status, response.ok], [418, false])
  const plain = toAnswer(response)
  assert.equal(plain.headers['x-method'], 'POST')
  assert.ok(plain.body instanceof Uint8Array, 'what came with its head is whole')
  assert.equal(response.headers.get('x-method'), 'POST')
  const told = { text: '{"ä":1}', authorization: 'Bearer x', url: '/a?b=c' }
  assert.deepEqual(await response.json(), told)
})

test('a large answer is streamed, to the last byte', async () => {
  const response = await fetch(`${origin}/large`)
  assert.ok(toAnswer(response).body instanceof ReadableStream)
  assert.equal(await response.text(), '☃'.repeat(500_000))
})

test('refused, reset and cut off are told apart as fetch tells them', async () => {
  assert.equal(await failure(fetch('http://127.0.0.1:1/')), 'refused')
  assert.equal(await failure(fetch(`${origin}/reset`)), 'reset')
  assert.equal(await failure(fetch(`${origin}/half`).then((response) => response.text())), 'reset')
})

test('a signal ends a request with its own reason: before, under way, and while it is answered', async () => {
  const reason = Object.assign(new Error('too late'), { name: 'TimeoutError' })
  await assert.rejects(fetch(`${origin}/`, { signal: AbortSignal.abort(reason) }), reason)
  const connecting = new AbortController()
  const early = createStreamFetch()(`${origin}/`, { signal: connecting.signal })
  connecting.abort(reason)
  await assert.rejects(early, reason)
  const waiting = new AbortController()
  const asked = fetch(`${origin}/never`, { signal: waiting.signal })
  await once(server, 'request')
  waiting.abort(reason)
  await assert.rejects(asked, reason)
  await untilClosed('/never false')
  const reading = new AbortController()
  const begun = await fetch(`${origin}/begun`, { signal: reading.signal })
  reading.abort(reason)
  await assert.rejects(begun.text(), reason)
  await untilClosed('/begun false')
})

test('a reader that leaves ends the request', async () => {
  closed.length = 0
  const response = await fetch(`${origin}/begun`)
  await response.body?.cancel()
  await untilClosed('/begun false')
})
