/** Owns the proof that bodies are limited over real sockets too, with a length and without. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, test } from 'node:test'
import { Hono } from 'hono'
import { limitedBody } from './body-limit.ts'
import { Problem, problemResponse } from './problem.ts'
import { listen } from './server.ts'

const http = new Hono()
http.use(limitedBody(10))
http.onError((error, c) => {
  if (error instanceof Problem) return problemResponse(error, c.req.path)
  return c.json({ unexpected: error.message }, 500)
})
http.all('/', async (c) => c.text(`${c.req.method} ${await c.req.text()}`))

const server = await listen((incoming) => http.fetch(incoming), { host: '127.0.0.1', port: 0 })
after(() => server.close(0))

/** Sends chunks without a Content-Length, unless one is given. */
function send(method: string, chunks: string[], headers: Record<string, string> = {}) {
  return new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const outgoing = request(
      { port: server.port, host: '127.0.0.1', method, headers },
      (answer) => {
        let text = ''
        answer.on('data', (data: Buffer) => (text += data.toString()))
        answer.on('end', () => resolve({ status: answer.statusCode, text }))
      },
    )
    outgoing.on('error', reject)
    for (const chunk of chunks) outgoing.write(chunk)
    outgoing.end()
  })
}

const CHUNKED = { 'transfer-encoding': 'chunked' }

test('requests without a body pass, whatever their method', async () => {
  for (const method of ['GET', 'DELETE', 'POST', 'PUT']) {
    assert.deepEqual(await send(method, []), { status: 200, text: `${method} ` })
  }
})

test('a body of unknown length is read up to the limit', async () => {
  assert.deepEqual(await send('POST', ['01234', '56789'], CHUNKED), {
    status: 200,
    text: 'POST 0123456789',
  })
  assert.equal((await send('POST', ['01234', '56789', 'x'], CHUNKED)).status, 413)
})

test('a body of known length is refused by its length', async () => {
  const length = (bytes: number) => ({ 'content-length': String(bytes) })
  const fits = await send('PUT', ['0123456789'], length(10))
  assert.deepEqual(fits, { status: 200, text: 'PUT 0123456789' })
  assert.equal((await send('PUT', ['0123456789x'], length(11))).status, 413)
})
