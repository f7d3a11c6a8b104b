/** Proves the way to NATS on a real server, where the machine has one: what is stored, once, and brought to whoever follows. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { createNats } from './nats.ts'
import { realRandom } from './random.ts'

const SERVER = process.env['QUARTET_TEST_NATS_URL'] ?? 'nats://127.0.0.1:4222'
// Streams of this run alone, which it removes.
const PREFIX = `test-${Buffer.from(realRandom.bytes(6)).toString('hex')}`

const open = (servers = [SERVER]) =>
  createNats({ name: 'test', servers, credentials: undefined, prefix: PREFIX, replicas: 1 })

const broker = open()
let nc: NatsConnection | undefined
let manager: JetStreamManager | undefined
try {
  nc = await connect({ servers: SERVER, timeout: 1_000, reconnect: false })
  manager = await jetstreamManager(nc)
} catch {
  manager = undefined
}
const skip = manager === undefined ? `no NATS with JetStream at ${SERVER}` : false

after(async () => {
  await broker.close()
  for (const name of (await manager?.streams.names(`${PREFIX}.>`).next()) ?? []) {
    await manager?.streams.delete(name)
  }
  await nc?.close()
})

const message = (id: string, text = id) => ({ id, type: 'thing.happened.v1', text })
const messages = (...ids: string[]) => ids.map((id) => message(id))
const streamOf = (log: string) => `${PREFIX}_${log}`.toUpperCase()
const countOf = async (log: string) =>
  (await manager?.streams.info(streamOf(log)))?.state.messages ?? 0

/** Follows, and gives what comes; `end` when it is enough. */
function follow(log: string, reader: string) {
  const stopping = new AbortController()
  const texts: string[] = []
  const run = async () => {
    for await (const together of broker.follow(log, reader, stopping.signal)) {
      texts.push(...together)
    }
  }
  const ended = run()
  ended.catch(() => {})
  const end = async () => {
    stopping.abort()
    await ended
  }
  return { texts, ended, end }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 10_000
  while (!(await holds())) {
    assert.ok(Date.now() < deadlineMs, 'nothing happened for 10 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A consumer is there, and waits for messages. */
const followedBy = (log: string, reader: string) =>
  until(async () => {
    const info = await manager?.consumers.info(streamOf(log), reader).catch(() => undefined)
    return (info?.num_waiting ?? 0) > 0
  })

test(
  'on NATS: a log has a stream of its own, within limits, made when it is first published',
  { skip },
  async () => {
    await broker.publish('made', messages('a'))
    const info = await manager?.streams.info(streamOf('made'))
    const { subjects, storage, num_replicas, max_age, max_bytes, duplicate_window } =
      info?.config ?? {}
    assert.deepEqual(
      { subjects, storage, num_replicas, max_age, max_bytes, duplicate_window },
      {
        subjects: [`${PREFIX}.made.>`],
        storage: 'file',
        num_replicas: 1,
        max_age: 24 * 3_600 * 1e9,
        max_bytes: 256 * 1024 * 1024,
        duplicate_window: 120 * 1e9,
      },
    )
  },
)

test('on NATS: what is published again is stored once', { skip }, async () => {
  await broker.publish('once', messages('a', 'b', 'c'))
  await broker.publish('once', messages('b', 'c', 'd'))
  assert.equal(await countOf('once'), 4)
  await broker.publish('once', messages('d'))
  assert.equal(await countOf('once'), 4)
})

test(
  'on NATS: who follows gets what comes, in order; who follows later what came meanwhile',
  { skip },
  async () => {
    await broker.publish('followed', messages('before'))
    const first = follow('followed', 'reader')
    await followedBy('followed', 'reader')
    const many = Array.from({ length: 2_000 }, (_, n) => `m${n}`)
    for (let n = 0; n < many.length; n += 500) {
      await broker.publish('followed', messages(...many.slice(n, n + 500)))
    }
    await until(() => first.texts.length === many.length)
    assert.deepEqual(first.texts, many)
    await first.end()
    const consumer = await manager?.consumers.info(streamOf('followed'), 'reader')
    assert.equal(consumer?.config.durable_name, 'reader')
    assert.equal(consumer?.config.inactive_threshold, 7 * 24 * 3_600 * 1e9)
    await broker.publish('followed', messages('x', 'y'))
    const second = follow('followed', 'reader')
    await until(() => second.texts.length === 2)
    assert.deepEqual(second.texts, ['x', 'y'])
    await second.end()
  },
)

test('on NATS: each reader has its own, and logs don’t mix', { skip }, async () => {
  await broker.publish('one', messages('a'))
  await broker.publish('other', messages('b'))
  const readers = [follow('one', 'r'), follow('one', 's'), follow('other', 'r')]
  await followedBy('one', 'r')
  await followedBy('one', 's')
  await followedBy('other', 'r')
  await broker.publish('one', messages('c'))
  await broker.publish('other', messages('d'))
  await until(() => readers.every(({ texts }) => texts.length === 1))
  assert.deepEqual(
    readers.map(({ texts }) => texts),
    [['c'], ['c'], ['d']],
  )
  for (const { end } of readers) await end()
})

test('on NATS: a log that is not there yet can’t be followed', { skip }, async () => {
  await assert.rejects(follow('nowhere', 'reader').ended, /stream not found/)
})

test(
  'on NATS: a stream that is removed is made anew; who followed it is told, and follows again',
  { skip },
  async () => {
    await broker.publish('wiped', messages('a'))
    const first = follow('wiped', 'reader')
    await followedBy('wiped', 'reader')
    await manager?.streams.delete(streamOf('wiped'))
    await assert.rejects(broker.publish('wiped', messages('b', 'c')))
    await broker.publish('wiped', messages('b', 'c')) // as the publisher does: once more
    assert.equal(await countOf('wiped'), 2)
    await assert.rejects(first.ended, /consumer|stream/)
    const second = follow('wiped', 'reader')
    await followedBy('wiped', 'reader')
    await broker.publish('wiped', messages('d'))
    await until(() => second.texts.length === 1)
    assert.deepEqual(second.texts, ['d'])
    await second.end()
  },
)

test(
  'on NATS: what is too large for the server is left out, and holds up nothing',
  { skip },
  async () => {
    await broker.publish('large', [
      message('a'),
      message('b', 'x'.repeat(1024 * 1024)),
      message('c'),
      message('d', 'x'.repeat(2 * 1024 * 1024)),
    ])
    assert.equal(await countOf('large'), 2)
    await broker.publish('large', [message('e', 'x'.repeat(1024 * 1024))])
    assert.equal(await countOf('large'), 2)
  },
)

test('a server that is not there is told of at once, and asked anew each time', async () => {
  const lost = open(['nats://127.0.0.1:1'])
  await assert.rejects(lost.publish('x', messages('a')))
  await assert.rejects(lost.publish('x', messages('a')))
  assert.equal(lost.isConnected(), false)
  await lost.close()
})
