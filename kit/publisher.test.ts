/** Proves that each numbered event is published, in order, whatever becomes of replicas and of the broker. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { createEventPair, range, settled, until, type EventPair } from './testing/event-pair.ts'
import { createFakeBroker, type FakeBroker } from './testing/fake-broker.ts'

let pair: EventPair
let broker: FakeBroker

before(async () => {
  pair = await createEventPair()
})
after(() => pair.close())
beforeEach(() => {
  broker = createFakeBroker()
})
afterEach(() => pair.reset())

type Sent = { sequence: string; id: string; type: string; log: string }

const sent = (): Sent[] => broker.published.map(({ text }) => JSON.parse(text) as Sent)
const numbers = () => sent().map(({ sequence }) => Number(sequence))
const untilPublished = (count: number) => until(() => broker.published.length >= count)
const position = async () => {
  const [row] = await pair.producer.query<{ position: number }>('select position from publications')
  return row?.position
}

test('events are published as they are numbered, as CloudEvents that say of which log they are', async () => {
  const [event] = await pair.append(2)
  pair.publish(broker)
  await untilPublished(2)
  await pair.append(1)
  await untilPublished(3) // no clock moved: it was told
  assert.deepEqual(numbers(), [1, 2, 3])
  assert.deepEqual(sent()[0], {
    specversion: '1.0',
    id: event?.id,
    source: '/things',
    type: 'thing.happened.v1',
    subject: 'thing_1',
    time: event?.time.toISOString(),
    datacontenttype: 'application/json',
    sequence: '1',
    data: {},
    log: await pair.logId(),
  })
  assert.equal(broker.published[0]?.id, event?.id)
  await until(async () => (await position()) === 3)
})

test('a backlog is published in batches, in order', async () => {
  await pair.append(1_200)
  const sizes: number[] = []
  broker.onPublish = (messages) => void sizes.push(messages.length)
  pair.publish(broker)
  await untilPublished(1_200)
  assert.deepEqual(numbers(), range(1_200))
  assert.deepEqual(sizes, [500, 500, 200])
})

test('the position moves after the acknowledgement: what is not acknowledged is published again', async () => {
  let failures = 2
  broker.onPublish = async (messages) => {
    await settled()
    assert.equal(await position(), 0)
    failures -= 1
    if (failures < 0) return
    broker.published.push(...messages) // stored, but the answer was lost
    throw new Error('no answer within 5000 ms')
  }
  await pair.append(3)
  const { clock } = pair.publish(broker)
  await until(async () => {
    await clock.advance(100)
    return broker.published.length === 9
  })
  assert.deepEqual(numbers(), [1, 2, 3, 1, 2, 3, 1, 2, 3])
  const ids = sent().map(({ id }) => id)
  assert.equal(new Set(ids).size, 3, 'the same id each time: it is stored once')
  await until(async () => (await position()) === 3)
})

test('a publisher that dies after publishing is followed by one that publishes again; readers see each once', async () => {
  const death = Promise.withResolvers<never>()
  broker.onPublish = (messages) => {
    broker.published.push(...messages)
    return death.promise
  }
  pair.subscribe(broker)
  await pair.append(2)
  const dying = pair.publish(broker)
  await untilPublished(2)
  death.reject(new Error('killed'))
  await dying.stop()
  broker.onPublish = () => {}
  pair.publish(broker)
  await untilPublished(4)
  broker.bring(...broker.published.map(({ text }) => text))
  await until(() => pair.seen.length === 2)
  await settled()
  await pair.assertAllOnce(2)
})

test('a broker that is away: nothing piles up, and publishing goes on from the position', async () => {
  await pair.append(2)
  const { clock, waitingMs } = pair.publish(broker)
  await untilPublished(2)
  assert.equal(waitingMs(), 0)
  broker.leave()
  await pair.append(3)
  await until(async () => {
    await clock.advance(1_000)
    return waitingMs() > 20_000
  })
  broker.comeBack()
  await until(async () => {
    await clock.advance(100)
    return broker.published.length === 5
  })
  assert.deepEqual(numbers(), [1, 2, 3, 4, 5])
  assert.equal(waitingMs(), 0)
})

test('after a long outage it begins with the last ten thousand: readers have the others from the feed', async () => {
  await pair.producer.query(
    `insert into events (sequence, id, type, subject, time, data)
     select n, 'evt_' || n, 'thing.happened.v1', 'thing_' || n, $1, '{}'
     from generate_series(1, 10700) as n`,
    [new Date(0)],
  )
  await pair.producer.query('update event_counter set last_sequence = 10700')
  pair.publish(broker)
  await untilPublished(10_000)
  assert.deepEqual(
    numbers(),
    range(10_700).filter((n) => n > 700),
  )
  await until(async () => (await position()) === 10_700)
})

test('two replicas: one publishes, and when it stops the other goes on at once', async () => {
  const first = pair.publish(broker)
  await pair.append(1)
  await untilPublished(1)
  pair.publish(broker)
  await settled()
  await pair.append(1)
  await untilPublished(2)
  await settled()
  assert.equal(broker.published.length, 2)
  await first.stop()
  await pair.append(1)
  await untilPublished(3) // no clock moved: it was told
  assert.deepEqual(numbers(), [1, 2, 3])
})

test('one that was frozen, and wakes when another has gone on, does no harm', async () => {
  const frozen = Promise.withResolvers<void>()
  let isFirst = true
  broker.onPublish = async () => {
    if (!isFirst) return
    isFirst = false
    await frozen.promise
  }
  await pair.append(1)
  pair.publish(broker)
  await until(() => !isFirst)
  const second = pair.publish(broker)
  await settled()
  await second.clock.advance(14_000)
  assert.deepEqual(numbers(), [])
  await until(async () => {
    await second.clock.advance(500)
    return broker.published.length === 1
  })
  await pair.append(1)
  await untilPublished(2)
  frozen.resolve()
  await untilPublished(3)
  await pair.append(1)
  await untilPublished(4)
  await settled()
  assert.deepEqual(numbers(), [1, 2, 1, 3])
  assert.equal(await position(), 3)
})
