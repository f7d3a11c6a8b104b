/** Proves that a server says which port is taken, and that a stop cuts nothing off. */
import assert from 'node:assert/strict'
import { connect, createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { listen, type HttpServer } from './server.ts'

const HOST = '127.0.0.1'

/** A handler whose answer waits for `answer()`; `asked` resolves when the request is there. */
function slowHandler() {
  const asked = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const fetch = async () => {
    asked.resolve()
    await gate.promise
    return new Response('whole')
  }
  return { fetch, asked: asked.promise, answer: () => gate.resolve() }
}

/** A plain keep-alive connection: what it was sent, and when it was closed. */
function openSocket(port: number) {
  const socket = connect(port, HOST)
  const closed = Promise.withResolvers<void>()
  let received = ''
  socket.on('data', (chunk) => (received += String(chunk)))
  socket.on('close', () => closed.resolve())
  socket.on('error', () => {})
  const opened = new Promise<void>((resolve) => socket.on('connect', resolve))
  return {
    opened,
    closed: closed.promise,
    received: () => received,
    send: () => socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n'),
    nextData: () => new Promise((resolve) => socket.once('data', resolve)),
  }
}

test('a stop lets a request in flight end, and then does not wait for its connection', async () => {
  const slow = slowHandler()
  const server = await listen(slow.fetch, { host: HOST, port: 0 })
  const socket = openSocket(server.port)
  await socket.opened
  socket.send()
  await slow.asked
  const startedMs = Date.now()
  const stopped = server.close(10_000)
  await assert.rejects(fetch(`http://${HOST}:${server.port}/`)) // no new connection
  slow.answer()
  await stopped
  await socket.closed
  assert.match(socket.received(), /^HTTP\/1.1 200 OK[^]*connection: close[^]*whole/i)
  assert.ok(Date.now() - startedMs < 5_000)
})

test('a stop closes idle keep-alive connections at once', async () => {
  const server = await listen(() => new Response('fast'), { host: HOST, port: 0 })
  const socket = openSocket(server.port)
  await socket.opened
  socket.send()
  await socket.nextData()
  await server.close(10_000)
  await socket.closed
})

test('a request that never ends is cut off when the grace is over', async () => {
  const slow = slowHandler()
  const server = await listen(slow.fetch, { host: HOST, port: 0 })
  const socket = openSocket(server.port)
  await socket.opened
  socket.send()
  await slow.asked
  await server.close(50)
  await socket.closed
  assert.equal(socket.received(), '')
  slow.answer()
})

test('a taken port is told in a sentence', async () => {
  const server = await listen(() => new Response(), { host: HOST, port: 0 })
  try {
    await assert.rejects(
      listen(() => new Response(), { host: HOST, port: server.port }),
      {
        message: `Port ${server.port} is taken by another program.`,
      },
    )
  } finally {
    await server.close(0)
  }
})

/** Accepts like a supervisor does, and hands each connection over. */
async function frontOf(server: HttpServer) {
  const front = createServer({ pauseOnConnect: true }, server.take)
  await new Promise<void>((resolve) => {
    front.listen(0, HOST, resolve)
  })
  return { port: (front.address() as AddressInfo).port, close: () => front.close() }
}

test('rule 23: a connection that was handed over and is open when a drain begins gets its answer, and is told to close', async () => {
  const server = await listen(() => new Response('whole'), { host: HOST, port: 0 })
  const front = await frontOf(server)
  const socket = openSocket(front.port)
  await socket.opened
  socket.send()
  await socket.nextData()
  const drained = server.drain(0)
  socket.send()
  await socket.closed
  const answers = socket.received().split('HTTP/1.1 200 OK')
  assert.match(answers[1] ?? '', /keep-alive: timeout=4[^]*whole$/i) // what clients are promised
  assert.match(answers[2] ?? '', /connection: close[^]*whole$/i)
  await drained // nobody is left: sooner than the time that clients were promised
  front.close()
  await server.close(0)
})

test('a drain holds idle connections for as long as clients were told', async () => {
  const server = await listen(() => new Response('whole'), {
    host: HOST,
    port: 0,
    keepAliveMs: 200,
  })
  const front = await frontOf(server)
  const socket = openSocket(front.port)
  await socket.opened
  socket.send()
  await socket.nextData()
  const startedMs = performance.now()
  await server.drain(0)
  assert.ok(performance.now() - startedMs > 190)
  socket.send() // just in time
  await socket.closed
  assert.match(socket.received(), /connection: close[^]*whole$/i)
  front.close()
  await server.close(0)
})
