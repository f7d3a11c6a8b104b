/** Proves that requests to peers give what `fetch` gives: answers, refusals, resets, and the caller's own reason. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { failureOf } from './failure.ts'
import { createWholeFetch } from './whole-fetch.ts'

const fetch = createWholeFetch()
let server: Server
let origin: string
const closed: string[] = []

before(async () => {
  server = createServer((request, response) => {
    response.on('close', () => closed.push(`${request.url} ${response.writableEnded}`))
    if (request.url === '/reset') return void request.socket.destroy()
    if (request.url === '/never') return undefined
    if (request.url === '/half') {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half', () => request.socket.destroy())
      return undefined
    }
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (text += chunk))
    request.on('end', () => {
      response.writeHead(418, { 'content-type': 'application/json', 'x-method': request.method })
      const { authorization } = request.headers
      response.end(
        JSON.stringify({ text, authorization, url: request.url, snow: '☃'.repeat(50_000) }),
      )
    })
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => server.close())

const failure = (asked: Promise<unknown>) => asked.then(String, failureOf)

test('a request arrives as it was meant, and so does its answer, in many pieces too', async () => {
  const headers = { authorization: 'Bearer x' }
  const response = await fetch(`${origin}/a?b=c`, { method: 'POST', headers, body: '{"ä":1}' })
  assert.deepEqual([response.status, response.ok], [418, false])
  assert.equal(response.headers.get('x-method'), 'POST')
  const answer = {
    text: '{"ä":1}',
    authorization: 'Bearer x',
    url: '/a?b=c',
    snow: '☃'.repeat(50_000),
  }
  assert.deepEqual(await response.json(), answer)
  assert.deepEqual(JSON.parse(await (await fetch(`${origin}/`)).text()).text, '')
})

test('refused, reset and cut off are told apart as fetch tells them', async () => {
  assert.equal(await failure(fetch('http://127.0.0.1:1/')), 'refused')
  assert.equal(await failure(fetch(`${origin}/reset`)), 'reset')
  assert.equal(await failure(fetch(`${origin}/half`)), 'reset')
})

test('a signal ends the request, on the wire too, with its own reason: before, and under way', async () => {
  const reason = Object.assign(new Error('too late'), { name: 'TimeoutError' })
  await assert.rejects(fetch(`${origin}/`, { signal: AbortSignal.abort(reason) }), reason)
  const abort = new AbortController()
  const asked = fetch(`${origin}/never`, { signal: abort.signal })
  const arrived = once(server, 'request')
  await arrived
  abort.abort(reason)
  await assert.rejects(asked, reason)
  while (!closed.includes('/never false')) await new Promise((resolve) => setImmediate(resolve))
})

test('text that is not JSON rejects with a SyntaxError, so that it is not taken for a lost connection', async () => {
  const plain = createServer((_request, response) => response.end('hello'))
  plain.listen(0, '127.0.0.1')
  await once(plain, 'listening')
  const response = await fetch(`http://127.0.0.1:${(plain.address() as AddressInfo).port}/`)
  await assert.rejects(response.json(), SyntaxError)
  plain.close()
  plain.closeAllConnections()
})
