/** Owns a service with events and one that reads them, for tests: a log, its feed, its publisher, and readers of it. */
import assert from 'node:assert/strict'
import { createBell, EVENTS_CHANNEL } from '../bell.ts'
import { createBrokerPages, type Way } from '../broker-pages.ts'
import type { Broker } from '../broker.ts'
import { createLogId, type LoggedEvent } from '../event-log.ts'
import { appendEvents, sequenceOutbox } from '../events.ts'
import { addFeed } from '../feed.ts'
import { createHttp } from '../http.ts'
import { silentLog } from '../log.ts'
import type { Database, Transaction } from '../postgres.ts'
import { createPublisher } from '../publisher.ts'
import { createSubscription, type SubscriptionOptions } from '../subscription.ts'
import {
  createTestClock,
  createTestDatabase,
  createTestNetwork,
  createTestWorld,
  type TestClock,
} from '../testing.ts'

const migrations = new URL('../fixtures/migrations/', import.meta.url)
const TYPE = 'thing.happened.v1'

type Replica = { clock: TestClock; stop: () => Promise<void> }

/** What the readers came upon. */
type Observed = {
  /** How many events came by which way. */
  ways: Record<Way, number>
  /** What the feed was asked. */
  asked: URLSearchParams[]
  isFeedDown: boolean
  /** The numbers of the events that were applied, in the order of the commits. */
  seen: number[]
}

const nothing = (): Observed => ({
  ways: { broker: 0, feed: 0 },
  asked: [],
  isFeedDown: false,
  seen: [],
})

/** Two databases, and on a clock of its own each replica that the test opens. */
export async function createEventPair() {
  const producer = await createTestDatabase({ name: 'kit', migrations })
  const consumer = await createTestDatabase({ name: 'kit', migrations })
  const observed = nothing()
  const { feed, logId, stop: stopFeed } = openFeed(producer.db)
  const open = new Set<Replica>()

  function keep(replica: Replica): Replica {
    const stop = async () => {
      open.delete(kept)
      await replica.stop()
    }
    const kept = { ...replica, stop }
    open.add(kept)
    return kept
  }

  /** Stops all replicas, and empties both databases for the next test. */
  async function reset(): Promise<void> {
    await Promise.all([...open].map(({ stop }) => stop()))
    await producer.db.query('truncate outbox, events, subscribers, publications')
    await producer.db.query('update event_counter set last_sequence = 0')
    await consumer.db.query('truncate items, subscriptions, set_aside_events')
    Object.assign(observed, nothing())
  }

  return Object.assign(observed, {
    producer: producer.db,
    consumer: consumer.db,
    logId,
    /** Appends events, each of a subject of its own, and gives them as they are numbered. */
    append: (count: number, type = TYPE) => append(producer.db, count, type),
    /** A replica that reads by the broker. */
    subscribe: (broker: Broker, changes: Partial<SubscriptionOptions> = {}) =>
      keep(openReader({ db: consumer.db, feed, observed, broker, changes })),
    /** A replica that publishes. */
    publish(broker: Broker) {
      const { waitingMs, ...replica } = openPublisher(producer.db, broker, logId)
      return { ...keep(replica), waitingMs }
    },
    /** Fails unless each of `count` events was applied once and in order, and none was set aside. */
    async assertAllOnce(count: number): Promise<void> {
      assert.deepEqual(observed.seen, range(count))
      const items = await consumer.db.query<{ id: string }>('select id from items')
      const subjects = range(count).map((n) => `thing_${n}`)
      assert.deepEqual(items.map(({ id }) => id).toSorted(), subjects.toSorted())
      assert.deepEqual(await consumer.db.query('select from set_aside_events'), [])
      const [row] = await consumer.db.query('select position from subscriptions')
      assert.deepEqual(row, { position: count })
    },
    reset,
    async close(): Promise<void> {
      stopFeed()
      await reset()
      await producer.drop()
      await consumer.drop()
    },
  })
}

export type EventPair = Awaited<ReturnType<typeof createEventPair>>

function openFeed(db: Database) {
  const world = createTestWorld({ config: {}, db })
  const bell = createBell(world, EVENTS_CHANNEL)
  const logId = createLogId(world)
  const http = createHttp(world, { name: 'x', title: 'x', description: 'x', accepting: () => true })
  const authenticator = { serviceOrAdmin: () => Promise.resolve('reader') }
  addFeed(http, { world, authenticator, bell, source: '/things', logId })
  return { feed: async (request: Request) => http.fetch(request), logId, stop: bell.stop }
}

async function append(db: Database, count: number, type: string): Promise<LoggedEvent[]> {
  const world = createTestWorld({ config: {}, db })
  const [counter] = await db.query<{ last: number }>(
    'select last_sequence as last from event_counter',
  )
  const last = counter?.last ?? 0
  const subjects = Array.from({ length: count }, (_, n) => `thing_${last + 1 + n}`)
  await db.transaction(async (tx) => {
    appendEvents(
      tx,
      world,
      subjects.map((subject) => ({ type, subject, data: {} })),
    )
  })
  while ((await db.transaction(sequenceOutbox)) > 0);
  return db.query<LoggedEvent>(
    'select sequence, id, type, subject, time, data from events where sequence > $1 order by 1',
    [last],
  )
}

type ReaderParts = {
  db: Database
  feed: (request: Request) => Promise<Response>
  observed: Observed
  broker: Broker
  changes: Partial<SubscriptionOptions>
}

function openReader({ db, feed, observed, broker, changes }: ReaderParts): Replica {
  const fetch = createTestNetwork({
    async 'http://things.test'(request) {
      observed.asked.push(new URL(request.url).searchParams)
      if (observed.isFeedDown) throw new TypeError('fetch failed')
      return feed(request)
    },
  })
  const clock = createTestClock()
  const world = { ...createTestWorld({ config: {}, db, fetch, clock }), log: silentLog }
  const options: SubscriptionOptions = {
    source: 'things',
    baseUrl: 'http://things.test',
    token: () => Promise.resolve('token'),
    types: [TYPE],
    apply: insert,
    applied: (events) => observed.seen.push(...events.map(({ sequence }) => sequence)),
    ...changes,
  }
  const noted = (way: Way, count: number) => (observed.ways[way] += count)
  const pages = createBrokerPages(world, { ...options, broker, reader: 'reader', noted })
  const subscription = createSubscription(world, options, pages)
  subscription.start()
  return { clock, stop: subscription.stop }
}

function openPublisher(db: Database, broker: Broker, logId: () => Promise<string>) {
  const clock = createTestClock()
  const world = { ...createTestWorld({ config: {}, db, clock }), log: silentLog }
  const bell = createBell(world, EVENTS_CHANNEL)
  const publisher = createPublisher(world, { name: 'things', broker, bell, logId })
  publisher.start()
  const stop = async () => {
    bell.stop()
    await publisher.stop()
  }
  return { clock, stop, waitingMs: publisher.waitingMs }
}

// An event that is applied twice breaks the key, and would be set aside.
export async function insert(tx: Transaction, events: LoggedEvent[]): Promise<void> {
  const subjects = events.map(({ subject }) => subject)
  await tx.query('insert into items select unnest($1::text[]), 1', [subjects])
}

export const range = (count: number) => Array.from({ length: count }, (_, n) => n + 1)

/** Waits, in real time, until something holds: the clocks stand still. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 10_000
  while (!(await holds())) {
    assert.ok(Date.now() < deadlineMs, 'nothing happened for 10 s')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Lets what is under way, and needs no clock, come to its end. */
export const settled = () => new Promise((resolve) => setTimeout(resolve, 50))
