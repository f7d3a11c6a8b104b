/** Proves streams of events: their form, their limits, a comment now and then, an end, and no heap for who doesn't read. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { beforeEach, test } from 'node:test'
import {
  createEventStreams,
  lastEventIdOf,
  type EventStreams,
  type Teller,
} from './event-stream.ts'
import { silentLog } from './log.ts'
import { Problem } from './problem.ts'
import { listen } from './server.ts'
import { createTestClock, type TestClock } from './testing.ts'

let clock: TestClock
let streams: EventStreams
let warnings: unknown[]

beforeEach(() => {
  clock = createTestClock()
  warnings = []
  streams = createEventStreams({
    timers: clock.timers,
    random: { fraction: () => 0.5, bytes: (count) => new Uint8Array(count) },
    log: { ...silentLog, warn: (fields) => void warnings.push(fields) },
  })
})

const get = { method: 'GET' }
const open = (teller: Teller, who = 'ada') => streams.open(get, who, () => Promise.resolve(teller))
const forEver: Teller = ({ onOver }) => new Promise((resolve) => onOver(resolve))

/** Reads a stream piece by piece; undefined: it is over. */
function readerOf(response: Response) {
  const reader = (response.body ?? assert.fail('no body')).getReader()
  return {
    next: async () => {
      const { value } = (await reader.read()) as { value?: Uint8Array }
      return value && Buffer.from(value).toString()
    },
    leave: () => reader.cancel(),
  }
}

test('messages have the form of the standard, after when to come again', async () => {
  const response = await open(async ({ tell }) => {
    await tell({ id: '7', event: 'thing.made.v1', data: '{"a":1}' })
    await tell({ id: '8', event: 'x', data: 'two\nlines' })
  })
  assert.equal(response.status, 200)
  assert.deepEqual(Object.fromEntries(response.headers), {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  assert.equal(
    await response.text(),
    'retry: 1000\n\n' +
      'id: 7\nevent: thing.made.v1\ndata: {"a":1}\n\n' +
      'id: 8\nevent: x\ndata: two\ndata: lines\n\n',
  )
})

test('where nothing more comes it is a 204, after which clients do not come again', async () => {
  const response = await streams.open(get, 'ada', () => Promise.resolve(undefined))
  assert.deepEqual([response.status, await response.text(), streams.count()], [204, '', 0])
})

test('a comment goes out every 15 s, and a stream ends after five minutes', async () => {
  const reader = readerOf(await open(forEver))
  assert.equal(await reader.next(), 'retry: 1000\n\n')
  for (let n = 0; n < 19; n += 1) {
    await clock.advance(15_000)
    assert.equal(await reader.next(), ':\n\n')
  }
  assert.equal(streams.count(), 1)
  await clock.advance(15_000)
  assert.equal(await reader.next(), undefined)
  assert.deepEqual([streams.count(), clock.untilNextMs()], [0, undefined])
})

test('a client that leaves frees its place, and nothing is told to it any more', async () => {
  const told: boolean[] = []
  const gone = Promise.withResolvers<void>()
  const reader = readerOf(
    await open(async ({ tell, onOver }) => {
      onOver(gone.resolve)
      await gone.promise
      told.push(await tell({ id: '1', event: 'x', data: '' }))
    }),
  )
  await reader.leave()
  await gone.promise
  assert.equal(streams.count(), 0)
  await clock.advance(60_000)
  assert.deepEqual([told, clock.untilNextMs()], [[false], undefined])
})

test('who does not read is not written to: what is to be told waits where it is', async () => {
  let told = 0
  const response = await open(async ({ tell }) => {
    while (await tell({ id: String(told), event: 'x', data: 'x'.repeat(4_000) })) told += 1
  })
  await clock.advance(60_000)
  assert.equal(told, 5, 'the first 16 KiB, and what crosses that line')
  const reader = readerOf(response)
  const pieces = [await reader.next(), await reader.next(), await reader.next()]
  await clock.advance(0)
  assert.equal(told, 7, 'the hint and two messages were taken: as much again')
  for (let n = 0; n < 5; n += 1) pieces.push(await reader.next())
  assert.ok(!pieces.includes(':\n\n'), 'nor is it kept alive')
  streams.stop()
  assert.equal(streams.count(), 0)
})

test('there is room for so many streams, and for so many of one person among them', async () => {
  const refusal = async (who: string) => {
    const problem = await open(forEver, who).then(
      () => assert.fail('let in'),
      (error: unknown) => error,
    )
    assert.ok(problem instanceof Problem)
    return [problem.status, problem.code, problem.options.retryAfterS]
  }
  const own = []
  for (let n = 0; n < 20; n += 1) own.push(readerOf(await open(forEver, 'ada')))
  assert.deepEqual(await refusal('ada'), [429, 'too_many_streams', 10])
  for (let n = 0; n < 980; n += 1) await open(forEver, `person-${n}`)
  assert.deepEqual(await refusal('bob'), [503, 'too_many_streams', 10])
  await own[0]?.leave()
  await open(forEver, 'bob')
  assert.equal(streams.count(), 1_000)
  streams.stop()
})

test('what fails as it begins takes no place; what fails later ends the stream', async () => {
  const failing = () => Promise.reject(new Error('gone'))
  await assert.rejects(streams.open(get, 'ada', failing), /gone/)
  assert.equal(streams.count(), 0)
  const response = await open(failing)
  assert.equal(await response.text(), 'retry: 1000\n\n')
  assert.deepEqual([streams.count(), warnings.length], [0, 1])
})

test('a stop ends all streams at once; those opened after it end as they begin, and come again elsewhere', async () => {
  const before = await open(forEver)
  const slow = Promise.withResolvers<Teller>()
  const beginning = streams.open(get, 'ada', () => slow.promise)
  streams.stop()
  slow.resolve(forEver)
  const begun = () => assert.fail('nothing is looked up')
  for (const response of [before, await beginning, await streams.open(get, 'ada', begun)]) {
    assert.deepEqual([response.status, await response.text()], [200, 'retry: 1000\n\n'])
  }
  assert.deepEqual([streams.count(), clock.untilNextMs()], [0, undefined])
})

test('HEAD is answered without a stream', async () => {
  const response = await streams.open({ method: 'HEAD' }, 'ada', () => assert.fail('begun'))
  assert.deepEqual([response.status, response.body, streams.count()], [200, null, 0])
})

test('an empty Last-Event-ID is none', () => {
  const idOf = (headers: Record<string, string>) => lastEventIdOf({ headers: new Headers(headers) })
  assert.deepEqual([idOf({}), idOf({ 'last-event-id': '' })], [undefined, undefined])
  assert.equal(idOf({ 'last-event-id': '12' }), '12')
})

test('over a socket the head comes at once, and a stop does not wait for who listens', async () => {
  const server = await listen(() => open(forEver), { host: '127.0.0.1', port: 0 })
  const socket = connect(server.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  let received = ''
  await new Promise<void>((resolve) =>
    socket.on('data', (chunk) => {
      received += String(chunk)
      if (received.includes('retry')) resolve()
    }),
  )
  assert.match(received, /^HTTP\/1.1 200 OK[^]*transfer-encoding: chunked[^]*retry: 1000/i)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  const sinceMs = performance.now()
  streams.stop()
  await server.close(20_000)
  await closed
  assert.ok(performance.now() - sinceMs < 5_000)
  assert.match(received, /\r\n0\r\n\r\n$/, 'ended, not cut')
})

test('a client that hangs up is noticed', async () => {
  const gone = Promise.withResolvers<void>()
  const teller: Teller = async ({ onOver }) => {
    onOver(gone.resolve)
    await gone.promise
  }
  const server = await listen(() => open(teller), { host: '127.0.0.1', port: 0 })
  const socket = connect(server.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  await new Promise((resolve) => socket.once('data', resolve))
  assert.equal(streams.count(), 1)
  socket.destroy()
  await gone.promise
  assert.equal(streams.count(), 0)
  await server.close(0)
})
