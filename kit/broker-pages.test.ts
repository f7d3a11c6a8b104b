/** Proves that a broker may lose, double, delay and reorder what it is given: each event is applied once, in order. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { cloudEventText } from './cloud-event.ts'
import type { LoggedEvent } from './event-log.ts'
import type { Transaction } from './postgres.ts'
import type { SubscriptionOptions } from './subscription.ts'
import { createEventPair, insert, settled, until, type EventPair } from './testing/event-pair.ts'
import { createFakeBroker, type FakeBroker } from './testing/fake-broker.ts'

let pair: EventPair
let broker: FakeBroker
let log: string

before(async () => {
  pair = await createEventPair()
  log = await pair.logId()
})
after(() => pair.close())
beforeEach(() => {
  broker = createFakeBroker()
})
afterEach(() => pair.reset())

/** Appends events to the log, and gives them as they are published: each time the test says how. */
const append = async (count: number, type?: string) =>
  (await pair.append(count, type)).map((event) => toText(event))

const toText = (event: LoggedEvent, itsLog = log) =>
  cloudEventText('/things', { ...event, data: JSON.stringify(event.data) }, { log: itsLog })

/** An event that nobody appended. */
const strange = (sequence: number, itsLog = log) =>
  toText(
    {
      sequence,
      id: `evt_${sequence}`,
      type: 'thing.happened.v1',
      subject: `strange_${sequence}`,
      time: new Date(0),
      data: {},
    },
    itsLog,
  )

const subscribe = (changes?: Partial<SubscriptionOptions>) => pair.subscribe(broker, changes)
const untilSeen = (count: number) => until(() => pair.seen.length >= count)

/** A reader that has read one event by the feed, and relies on the broker since it told of it too. */
async function subscribeAndRely(changes: Partial<SubscriptionOptions> = {}) {
  const [first = ''] = await append(1)
  const reader = subscribe(changes)
  await untilSeen(1)
  broker.bring(first)
  await until(() => broker.followers() === 1 && broker.waiting() === 0)
  // What was asked before it was relied on is answered by the next event, and passed over.
  const [second = ''] = await append(1)
  broker.bring(second)
  await untilSeen(2)
  await settled()
  pair.asked = []
  pair.ways = { broker: 0, feed: 0 }
  return reader
}

test('events come by the broker: the feed is not asked for them, and no timer is waited for', async () => {
  await subscribeAndRely()
  broker.bring(...(await append(3)))
  await untilSeen(5)
  broker.bring(...(await append(1)))
  await untilSeen(6)
  assert.deepEqual(pair.ways, { broker: 4, feed: 0 })
  assert.deepEqual(pair.asked, [])
  await pair.assertAllOnce(6)
})

test('what the broker lost is a gap, which is read from the feed at once', async () => {
  await subscribeAndRely()
  const [, ...later] = await append(3)
  broker.bring(...later)
  await untilSeen(5)
  const queries = pair.asked.map((query) => query.get('after'))
  assert.deepEqual(queries, ['2'])
  await pair.assertAllOnce(5)
})

test('what comes twice, or late, is applied once', async () => {
  await subscribeAndRely()
  const texts = await append(3)
  broker.bring(...texts, ...texts)
  await untilSeen(5)
  broker.bring(...texts)
  const last = await append(1)
  broker.bring(...last, ...texts)
  await untilSeen(6)
  await settled()
  broker.bring(...last)
  await settled()
  assert.deepEqual(pair.asked, [])
  await pair.assertAllOnce(6)
})

test('what comes in another order is applied in that of the log', async () => {
  await subscribeAndRely()
  const texts = await append(5)
  broker.bring(...texts.toReversed())
  await untilSeen(7)
  assert.deepEqual(pair.ways, { broker: 5, feed: 0 })
  const [one = '', two = '', three = ''] = await append(3)
  broker.bring(three)
  broker.bring(two, one)
  await untilSeen(10)
  await pair.assertAllOnce(10)
})

test('a broker that is silent for a second is doubted: the feed tells what comes, until the broker does again', async () => {
  const { clock } = await subscribeAndRely()
  await append(1)
  await settled()
  await clock.advance(900)
  assert.deepEqual(pair.asked, [])
  await until(async () => {
    await clock.advance(100)
    return pair.seen.length === 3
  })
  await append(1)
  await untilSeen(4) // by the feed, at once
  assert.deepEqual(pair.ways, { broker: 0, feed: 2 })
  const [text = ''] = await append(1)
  await untilSeen(5)
  broker.bring(text) // late, but the newest: it keeps up again
  await until(() => broker.waiting() === 0)
  const [next = ''] = await append(1)
  broker.bring(next)
  await untilSeen(6)
  await settled()
  pair.asked = []
  broker.bring(...(await append(1)))
  await untilSeen(7)
  assert.deepEqual(pair.asked, [])
  await pair.assertAllOnce(7)
})

test('a broker that is away costs nothing but the feed, and is followed again when it is back', async () => {
  broker.leave()
  const { clock } = subscribe()
  await append(2)
  await untilSeen(2)
  await append(1)
  await untilSeen(3)
  assert.equal(broker.followers(), 0)
  broker.comeBack()
  await until(async () => {
    await clock.advance(100)
    return broker.followers() === 1
  })
  broker.bring(...(await append(1)))
  await untilSeen(4)
  broker.leave()
  await until(() => broker.followers() === 0)
  await append(1)
  await untilSeen(5) // no clock moved: it is not waited for
  await pair.assertAllOnce(5)
})

test('a broker that is far behind is not waited for: the feed goes on meanwhile', async () => {
  const old = await append(300)
  const { clock } = subscribe()
  await untilSeen(300)
  for (const text of old.slice(0, -1)) broker.bring(text)
  await until(() => broker.waiting() === 0)
  await append(1)
  await untilSeen(301)
  await append(1)
  await untilSeen(302)
  assert.deepEqual(pair.ways, { broker: 0, feed: 302 })
  assert.ok(clock.now() > 0)
  await pair.assertAllOnce(302)
})

test('events of another log of the same name are none of this one', async () => {
  await subscribeAndRely()
  broker.bring(strange(3, 'log_of_yesterday'), strange(4, 'log_of_yesterday'))
  await settled()
  broker.bring(...(await append(2)))
  await untilSeen(4)
  assert.deepEqual(pair.ways, { broker: 2, feed: 0 })
  await pair.assertAllOnce(4)
})

test('rule 20: what nobody can read is passed over, and read from the feed', async () => {
  const { clock } = await subscribeAndRely()
  broker.bring('{"sequence":', 'nonsense')
  await until(() => broker.followers() === 0)
  broker.bring('{}', '[]', ...(await append(2)))
  await until(async () => {
    await clock.advance(100)
    return pair.seen.length === 4
  })
  await pair.assertAllOnce(4)
})

test('rule 20: an event that cannot be applied is set aside, whichever way it came', async () => {
  const apply = async (tx: Transaction, events: LoggedEvent[]) => {
    if (events.some(({ sequence }) => sequence === 4)) throw new Error('what is this?')
    await insert(tx, events)
  }
  await subscribeAndRely({ apply })
  broker.bring(...(await append(3)))
  await untilSeen(4)
  assert.deepEqual(pair.seen, [1, 2, 3, 5])
  const aside = await pair.consumer.query('select sequence from set_aside_events')
  assert.deepEqual(aside, [{ sequence: 4 }])
})

test('types that are not wanted are passed over, and move the position', async () => {
  await subscribeAndRely()
  broker.bring(...(await append(2, 'thing.rested.v1')), ...(await append(1)))
  await untilSeen(3)
  assert.deepEqual(pair.seen, [1, 2, 5])
  const [row] = await pair.consumer.query('select position from subscriptions')
  assert.deepEqual(row, { position: 5 })
})

test('events that the feed would pass over by a field of theirs are passed over, and move the position', async () => {
  await subscribeAndRely({ unless: 'old' })
  const [third = '', fourth = '', fifth = ''] = await append(3)
  const marked = (text: string, old: unknown) => {
    const event = JSON.parse(text) as { data: object }
    return JSON.stringify({ ...event, data: { ...event.data, old } })
  }
  broker.bring(marked(third, true), marked(fourth, false), marked(fifth, 'true'))
  await untilSeen(4)
  assert.deepEqual(pair.seen, [1, 2, 4, 5])
  const [row] = await pair.consumer.query('select position from subscriptions')
  assert.deepEqual(row, { position: 5 })
})

test('rule 19: the producer is told what is done, every few seconds, though the broker brings all', async () => {
  const { clock } = await subscribeAndRely()
  for (let n = 0; n < 24; n += 1) {
    await clock.advance(500)
    broker.bring(...(await append(1)))
    await untilSeen(3 + n)
  }
  await settled()
  const told = pair.asked.map((query) => ['after', 'wait', 'limit'].map((name) => query.get(name)))
  assert.deepEqual(told, [
    ['11', '0', '1'],
    ['21', '0', '1'],
  ])
  assert.equal(pair.ways.feed, 0)
  await pair.assertAllOnce(26)
})

test('while the producer is down, what the broker brings is applied', async () => {
  const { clock } = await subscribeAndRely()
  pair.isFeedDown = true
  for (let n = 0; n < 3; n += 1) {
    await clock.advance(4_000)
    broker.bring(...(await append(1)))
    await untilSeen(3 + n)
  }
  await pair.assertAllOnce(5)
})

test('a feed that knows less than the broker is not asked in a loop', async () => {
  await subscribeAndRely()
  broker.bring(strange(9))
  await until(() => pair.asked.length === 1)
  await settled()
  assert.equal(pair.asked.length, 1)
})

test('what comes faster than it is applied waits at the broker', async () => {
  const gate = Promise.withResolvers<void>()
  let isSlow = false
  const apply = async (tx: Transaction, events: LoggedEvent[]) => {
    if (isSlow) await gate.promise
    await insert(tx, events)
  }
  await subscribeAndRely({ apply })
  isSlow = true
  const texts = await append(2_500)
  for (let n = 0; n < texts.length; n += 100) broker.bring(...texts.slice(n, n + 100))
  await settled()
  const waiting = broker.waiting()
  gate.resolve()
  assert.equal(waiting, 1_500)
  await untilSeen(2_502)
  await pair.assertAllOnce(2_502)
})

test('rule 19: two replicas: one follows, and when it stops the other goes on', async () => {
  const first = await subscribeAndRely()
  subscribe()
  await settled()
  assert.equal(broker.followers(), 1)
  await first.stop()
  await settled()
  assert.equal(broker.followers(), 1)
  broker.bring(...(await append(2)))
  await untilSeen(4)
  await pair.assertAllOnce(4)
})
