/** Proves rules 19 and 20 on a real PostgreSQL: each event applied once and in order, whatever becomes of replicas and events. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import type { SubscriptionOptions } from './subscription.ts'
import { createSubscription, type Subscription } from './subscription.ts'
import { createBell, EVENTS_CHANNEL } from './bell.ts'
import type { LoggedEvent } from './event-log.ts'
import { appendEvents, sequenceOutbox } from './events.ts'
import { addFeed } from './feed.ts'
import { createHttp, type Http } from './http.ts'
import { ConnectionLost, type Transaction } from './postgres.ts'
import {
  createTestDatabase,
  createTestNetwork,
  createTestWorld,
  type TestDatabase,
} from './testing.ts'
import type { Fetch } from './world.ts'

const logId = () => Promise.resolve('log_things')
const migrations = new URL('./fixtures/migrations/', import.meta.url)
let producer: TestDatabase
let consumer: TestDatabase
let feed: Http
let stopFeed: () => void
let open: Subscription[] = []
let seen: string[] = []

before(async () => {
  producer = await createTestDatabase({ name: 'kit', migrations })
  consumer = await createTestDatabase({ name: 'kit', migrations })
})
after(async () => {
  await producer.drop()
  await consumer.drop()
})

beforeEach(async () => {
  await producer.db.query('truncate outbox, events, subscribers')
  await producer.db.query('update event_counter set last_sequence = 0')
  await consumer.db.query('truncate items, subscriptions, set_aside_events')
  open = []
  seen = []
  const world = createTestWorld({ config: {}, db: producer.db })
  feed = createHttp(world, { name: 'x', title: 'x', description: 'x', accepting: () => true })
  const bell = createBell(world, EVENTS_CHANNEL)
  const authenticator = { serviceOrAdmin: () => Promise.resolve('reader') }
  addFeed(feed, { world, authenticator, bell, source: '/things', logId })
  stopFeed = bell.stop
})
afterEach(async () => {
  await Promise.all(open.map((each) => each.stop()))
  stopFeed()
})

const append = (...subjects: string[]) => appendOf('thing.happened.v1', subjects)

const appendOf = async (type: string, subjects: string[]) => {
  const world = createTestWorld({ config: {}, db: producer.db })
  await producer.db.transaction(async (tx) => {
    const events = subjects.map((subject) => ({ type, subject, data: {} }))
    appendEvents(tx, world, events)
  })
  await producer.db.transaction(sequenceOutbox)
}

// An event that is applied twice breaks the key.
const insert = async (tx: Transaction, events: LoggedEvent[]) => {
  const ids = events.map(({ sequence, subject }) => `${sequence} ${subject}`)
  await tx.query('insert into items select unnest($1::text[]), 1', [ids])
}

/** A replica of a subscriber on a clock that stands still. */
function subscribe(
  changes: Partial<SubscriptionOptions> = {},
  through: (f: Fetch) => Fetch = (f) => f,
) {
  const network = createTestNetwork({
    'http://things.test': async (request) => feed.fetch(request),
  })
  const world = createTestWorld({ config: {}, db: consumer.db, fetch: through(network) })
  const subscription = createSubscription(
    { ...world, log: { ...world.log, error() {} } },
    {
      source: 'things',
      baseUrl: 'http://things.test',
      token: () => Promise.resolve('token'),
      types: ['thing.happened.v1'],
      apply: insert,
      applied: (events) => seen.push(...events.map(({ sequence }) => String(sequence))),
      ...changes,
    },
  )
  open.push(subscription)
  subscription.start()
  return { clock: world.clock, stop: subscription.stop, replay: subscription.replay }
}

const applied = async () => {
  const rows = await consumer.db.query<{ id: string }>('select id from items')
  return rows.map(({ id }) => id).toSorted((a, b) => parseInt(a) - parseInt(b))
}

/** Waits, in real time, until something holds: the world's clock stands still. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 10_000
  while (!(await holds())) {
    assert.ok(Date.now() < deadlineMs, 'nothing happened for 10 s')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Whether a replica listens for a lease that is given back. */
const standsBy = async () => {
  const [row] = await consumer.db.query<{ count: number }>(
    `select count(*) as count from pg_stat_activity
     where datname = current_database() and query = 'listen leases' and state = 'idle'`,
  )
  return row?.count === 1
}

const range = (count: number, from = 1) => Array.from({ length: count }, (_, n) => String(from + n))

test('rule 19: events are applied once and in order, as they come, without a timer', async () => {
  await append('a', 'b')
  subscribe()
  await until(() => seen.length === 2)
  await append('c')
  await until(() => seen.length === 3)
  assert.deepEqual(seen, ['1', '2', '3'])
  assert.deepEqual(await applied(), ['1 a', '2 b', '3 c'])
})

test('rule 19: a subscriber is registered at the producer, and what it asks past is its acknowledgement', async () => {
  const { clock } = subscribe()
  await append('a')
  await until(() => seen.length === 1)
  const [row] = await producer.db.query('select name, acknowledged from subscribers')
  assert.deepEqual(row, { name: 'reader', acknowledged: 0 })
  assert.ok(clock.now() > 0)
})

test('rule 19: two replicas: one reads, and when it stops the other goes on at once', async () => {
  const first = subscribe()
  await append('a')
  await until(() => seen.length === 1)
  subscribe()
  await append('b')
  await until(() => seen.length === 2)
  await until(standsBy)
  await first.stop()
  await append('c')
  await until(() => seen.length === 3) // no clock moved: it was told
  assert.deepEqual(seen, ['1', '2', '3'])
})

test('rule 19: a reader that freezes is followed when its lease runs out, and does no harm when it wakes', async () => {
  const frozen = Promise.withResolvers<void>()
  let isFrozen = false
  const freeze =
    (fetch: Fetch): Fetch =>
    async (url, init) => {
      const answer = await fetch(url, init)
      if (isFrozen) await frozen.promise
      return answer
    }
  subscribe({}, freeze)
  await append('a')
  await until(() => seen.length === 1)
  isFrozen = true
  const second = subscribe()
  await append('b', 'c')
  await second.clock.advance(14_000)
  assert.deepEqual(seen, ['1'])
  await until(async () => {
    await second.clock.advance(500)
    return seen.length === 3
  })
  frozen.resolve() // the page that it has read is applied already
  isFrozen = false
  await append('d')
  await until(() => seen.length === 4)
  assert.deepEqual(seen, ['1', '2', '3', '4'])
  assert.equal((await applied()).length, 4)
})

test('rule 19: three replicas that come and go while events pour in: each event once, in order', async () => {
  const write = async () => {
    for (let n = 0; n < 60; n += 1) await append('x', 'y', 'z')
  }
  const writing = write()
  let replicas = [subscribe(), subscribe(), subscribe()]
  for (let turns = 0; turns < 12; turns += 1) {
    await until(() => seen.length >= Math.min(170, (turns + 1) * 12))
    await replicas[turns % 3]?.stop()
    replicas = replicas.with(turns % 3, subscribe())
  }
  await writing
  await until(() => seen.length === 180)
  assert.deepEqual(seen, range(180))
})

test('rule 20: an event that cannot be applied is set aside with what follows of its subject; the rest goes on', async () => {
  let isBroken = true
  const apply = async (tx: Transaction, events: LoggedEvent[]) => {
    if (isBroken && events.some(({ subject }) => subject === 'bad'))
      throw new Error('what is this?')
    await insert(tx, events)
  }
  const { replay } = subscribe({ apply })
  await append('a', 'bad', 'b')
  await append('bad', 'c')
  await until(() => seen.length === 3)
  assert.deepEqual(await applied(), ['1 a', '3 b', '5 c'])
  const aside = await consumer.db.query('select sequence, reason from set_aside_events order by 1')
  assert.deepEqual(aside, [
    { sequence: 2, reason: 'what is this?' },
    { sequence: 4, reason: 'waits behind another event of its subject' },
  ])
  await assert.rejects(replay('bad'), /what is this/)
  assert.equal((await consumer.db.query('select from set_aside_events')).length, 2)
  isBroken = false
  assert.equal(await replay('bad'), 2)
  assert.deepEqual(seen.slice(-2), ['2', '4'])
  await append('bad')
  await until(() => seen.length === 6)
  assert.equal((await consumer.db.query('select from set_aside_events')).length, 0)
})

test('rule 20: what PostgreSQL refuses is the event’s fault', async () => {
  const apply = async (tx: Transaction, events: LoggedEvent[]) => {
    const quantities = events.map(({ subject }) => (subject === 'bad' ? 0 : 1))
    const ids = events.map(({ id }) => id)
    await tx.query('insert into items select unnest($1::text[]), unnest($2::bigint[])', [
      ids,
      quantities,
    ])
  }
  subscribe({ apply })
  await append('a', 'bad', 'b')
  await until(() => seen.length === 2)
  assert.deepEqual(seen, ['1', '3'])
})

test('rule 20: an outage is nobody’s fault: the event is tried again, and nothing is set aside', async () => {
  let failures = 3
  const apply = async (tx: Transaction, events: LoggedEvent[]) => {
    failures -= 1
    if (failures >= 0) throw new ConnectionLost(new Error('gone'))
    await insert(tx, events)
  }
  const { clock } = subscribe({ apply })
  await append('a')
  await until(async () => {
    await clock.advance(1_000)
    return seen.length === 1
  })
  assert.deepEqual(await consumer.db.query('select from set_aside_events'), [])
})

test('a producer that is down is asked again later, and nothing is lost', async () => {
  let isDown = true
  const through =
    (fetch: Fetch): Fetch =>
    (url, init) =>
      isDown ? Promise.reject(new Error('refused')) : fetch(url, init)
  const { clock } = subscribe({}, through)
  await append('a')
  await clock.advance(20_000)
  isDown = false
  await until(async () => {
    await clock.advance(1_000)
    return seen.length === 1
  })
})

/** A replica that gathers, with the sizes of the pages that it was given; undefined: still asked for. */
function gather() {
  const pages: (number | undefined)[] = []
  const counting =
    (fetch: Fetch): Fetch =>
    async (url, init) => {
      const page = pages.push(undefined) - 1
      const response = await fetch(url, init)
      pages[page] = ((await response.clone().json()) as unknown[]).length
      return response
    }
  return { ...subscribe({ gatherMs: 100 }, counting), pages }
}

const many = (count: number) => Array.from({ length: count }, (_, n) => `s${n}`)

test('a reader that gathers reads what comes within its time as one page', async () => {
  const { clock, pages, stop } = gather()
  await append('a')
  await until(() => seen.length === 1)
  await append('b')
  await append('c')
  assert.deepEqual([pages, seen], [[1], ['1']], 'it waits, however long the database takes')
  await clock.advance(100)
  await until(() => seen.length === 3)
  assert.deepEqual(pages, [1, 2])
  await stop() // at once: the clock stands still
})

test('a reader that gathers goes on at once after a full page, and not after many events that it passes over', async () => {
  await append(...many(600))
  const { clock, pages } = gather()
  await until(() => seen.length === 600)
  assert.deepEqual(pages, [500, 100])
  await appendOf('thing.else.v1', many(900))
  await append('wanted')
  await clock.advance(100)
  await until(() => seen.length === 601)
  await append('next')
  assert.deepEqual(pages, [500, 100, 1])
  await clock.advance(100)
  await until(() => seen.length === 602)
})
