/** Proves the feed: in order and whole, to services and admins only, waiting without asking again. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { forbidden } from './auth.ts'
import { createBell, EVENTS_CHANNEL, type Bell } from './bell.ts'
import { appendEvents, sequenceOutbox } from './events.ts'
import { addFeed, type Feed } from './feed.ts'
import { createHttp, type Http } from './http.ts'
import { createTestDatabase, createTestWorld, type TestDatabase } from './testing.ts'

const logId = () => Promise.resolve('log_things')
let database: TestDatabase
let http: Http
let bell: Bell
let feed: Feed
let world: ReturnType<typeof newWorld>
let reader: string | undefined

const newWorld = () => createTestWorld({ config: {}, db: database.db })

before(async () => {
  const migrations = new URL('./fixtures/migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'kit', migrations })
})
after(async () => {
  bell.stop()
  await database.drop()
})

beforeEach(async () => {
  bell?.stop()
  await database.db.query('truncate outbox, events, subscribers')
  await database.db.query('update event_counter set last_sequence = 0')
  world = newWorld()
  bell = createBell(world, EVENTS_CHANNEL)
  http = createHttp(world, { name: 'x', title: 'x', description: 'x', accepting: () => true })
  reader = 'reader'
  const serviceOrAdmin = (request: Pick<Request, 'headers'>, scope: string) => {
    assert.equal(scope, 'events')
    if (request.headers.has('x-stranger')) return Promise.reject(forbidden('no'))
    return Promise.resolve(reader)
  }
  feed = addFeed(http, { world, authenticator: { serviceOrAdmin }, bell, source: '/things', logId })
})

const append = async (...types: string[]) => {
  await database.db.transaction(async (tx) => {
    const events = types.map((type, n) => ({ type, subject: `thing_${n}`, data: { n } }))
    appendEvents(tx, world, events)
  })
  await database.db.transaction(sequenceOutbox)
}

const ask = (query: string, headers: Record<string, string> = {}) =>
  Promise.resolve(http.fetch(new Request(`http://test/events?${query}`, { headers })))

async function read(query: string) {
  const response = await ask(query)
  assert.equal(response.status, 200)
  const events = (await response.json()) as { sequence: string; type: string }[]
  return { sequences: events.map(({ sequence }) => sequence), position: position(response) }
}

const position = (response: Response) => Number(response.headers.get('events-position'))

test('events are CloudEvents 1.0, in order, from a position on', async () => {
  await append('thing.made.v1', 'thing.moved.v1')
  const response = await ask('after=0')
  assert.equal(response.headers.get('content-type'), 'application/cloudevents-batch+json')
  const [first] = (await response.json()) as Record<string, unknown>[]
  const { id, ...rest } = first ?? {}
  assert.match(String(id), /^evt_/)
  assert.deepEqual(rest, {
    specversion: '1.0',
    source: '/things',
    type: 'thing.made.v1',
    subject: 'thing_0',
    time: new Date(world.clock.now()).toISOString(),
    datacontenttype: 'application/json',
    sequence: '1',
    data: { n: 0 },
  })
  assert.deepEqual(await read('after=1'), { sequences: ['2'], position: 2 })
  assert.deepEqual(await read('after=2'), { sequences: [], position: 2 })
})

test('pages end at their limit; types that are passed over move the position all the same', async () => {
  await append('a.v1', 'b.v1', 'a.v1', 'b.v1', 'b.v1')
  assert.deepEqual(await read('limit=2'), { sequences: ['1', '2'], position: 2 })
  assert.deepEqual(await read('type=a.v1'), { sequences: ['1', '3'], position: 5 })
  assert.deepEqual(await read('type=a.v1,b.v1&limit=4'), {
    sequences: ['1', '2', '3', '4'],
    position: 4,
  })
  assert.deepEqual(await read('type=c.v1'), { sequences: [], position: 5 })
})

test('events whose data has a field true are passed over for who asks so', async () => {
  const said = [{ old: true }, { old: false }, {}, { old: 'true' }, { old: true }]
  await database.db.transaction(async (tx) => {
    const events = said.map((data, n) => ({ type: 'a.v1', subject: `thing_${n}`, data }))
    appendEvents(tx, world, events)
  })
  await database.db.transaction(sequenceOutbox)
  assert.deepEqual(await read('unless=old'), { sequences: ['2', '3', '4'], position: 5 })
  assert.deepEqual(await read('unless=old&type=a.v1&limit=2'), {
    sequences: ['2', '3'],
    position: 3,
  })
  assert.deepEqual(await read('unless=old&type=b.v1'), { sequences: [], position: 5 })
  assert.deepEqual(await read('after=4&unless=old'), { sequences: [], position: 5 })
})

test('a reader waits until an event is numbered, by whichever replica, and no longer than it asked for', async () => {
  const waiting = read('wait=20')
  await new Promise((resolve) => setTimeout(resolve, 50))
  await append('a.v1')
  assert.deepEqual(await waiting, { sequences: ['1'], position: 1 })
  const inVain = read('after=1&wait=20')
  await new Promise((resolve) => setTimeout(resolve, 50))
  await world.clock.advance(20_000)
  assert.deepEqual(await inVain, { sequences: [], position: 1 })
})

test('who waits when the service stops has an answer at once', async () => {
  const waiting = read('wait=30')
  await new Promise((resolve) => setTimeout(resolve, 50))
  bell.stop()
  assert.deepEqual(await waiting, { sequences: [], position: 0 })
  assert.deepEqual(await read('wait=30'), { sequences: [], position: 0 })
})

test('who waits when the replica leaves has an answer at once; who comes then waits for a moment, and is told what is new', async () => {
  const waiting = read('wait=30')
  await new Promise((resolve) => setTimeout(resolve, 50))
  feed.drain()
  assert.deepEqual(await waiting, { sequences: [], position: 0 })
  const late = read('wait=30')
  await new Promise((resolve) => setTimeout(resolve, 50))
  await world.clock.advance(500)
  assert.deepEqual(await late, { sequences: [], position: 0 })
  const told = read('wait=30')
  await append('thing.made.v1')
  assert.deepEqual(await told, { sequences: ['1'], position: 1 })
})

test('what retention dropped is a 410 that says where the log begins', async () => {
  await append('a.v1', 'a.v1', 'a.v1')
  await database.db.query('delete from events where sequence < 3')
  const response = await ask('after=0')
  assert.equal(response.status, 410)
  const body = (await response.json()) as Record<string, unknown>
  assert.deepEqual([body['code'], body['oldest']], ['events_gone', 3])
  assert.deepEqual(await read('after=2'), { sequences: ['3'], position: 3 })
  await database.db.query('delete from events')
  assert.equal((await ask('after=2')).status, 410)
  assert.deepEqual(await read('after=3'), { sequences: [], position: 3 })
})

test('a service that reads is registered, and never goes back; an admin is not', async () => {
  await append('a.v1', 'a.v1')
  const subscribers = () => database.db.query('select name, acknowledged, seen_at from subscribers')
  reader = undefined
  await read('after=1')
  assert.deepEqual(await subscribers(), [])
  reader = 'reader'
  await read('after=2')
  await world.clock.advance(6_000)
  await read('after=1')
  const seen_at = new Date(world.clock.now())
  assert.deepEqual(await subscribers(), [{ name: 'reader', acknowledged: 2, seen_at }])
})

test('strangers get nothing, and nonsense is a 400 that names the field', async () => {
  assert.equal((await ask('', { 'x-stranger': '1' })).status, 403)
  for (const query of ['after=-1', 'after=x', 'wait=31', 'limit=0', 'limit=1001']) {
    const response = await ask(query)
    assert.equal(response.status, 400, query)
    assert.ok((await response.text()).includes(`"field":"${query.split('=')[0]}"`), query)
  }
})
