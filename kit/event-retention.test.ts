/** Proves that the log goes on from part to part, and that only what is old and read by all is dropped. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { keepLog } from './event-retention.ts'
import { appendEvents, sequenceOutbox } from './events.ts'
import { createTestDatabase, createTestWorld, type TestDatabase } from './testing.ts'

let database: TestDatabase
const newWorld = () => createTestWorld({ config: { EVENT_RETENTION_DAYS: 30 }, db: database.db })
let world: ReturnType<typeof newWorld>

before(async () => {
  const migrations = new URL('./fixtures/migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'kit', migrations })
  world = newWorld()
})
after(() => database.drop())

const parts = async () => {
  const rows = await database.db.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits
     where inhparent = 'events'::regclass order by 1`,
  )
  return rows.map(({ name }) => name)
}

/** As if as many events had been numbered before. */
const jumpTo = (sequence: number) =>
  database.db.query('update event_counter set last_sequence = $1', [sequence])

async function append(count: number): Promise<void> {
  const event = { type: 'thing.happened.v1', subject: 'x', data: {} }
  await database.db.transaction(async (tx) =>
    appendEvents(
      tx,
      world,
      Array.from({ length: count }, () => event),
    ),
  )
  await database.db.transaction(sequenceOutbox)
}

const acknowledge = (name: string, upTo: number) =>
  database.db.query(
    `insert into subscribers values ($1, $2, $3)
     on conflict (name) do update set acknowledged = excluded.acknowledged`,
    [name, upTo, new Date(world.clock.now())],
  )

const count = async () =>
  (await database.db.query<{ count: number }>('select count(*) as count from events'))[0]?.count

const DAY_MS = 24 * 3_600_000

test('a new log has a part, and nothing to do', async () => {
  await append(2)
  await keepLog(world)
  assert.deepEqual(await parts(), ['events_1'])
})

test('rule 18: the next part is there before it is needed, and numbers go on across', async () => {
  await jumpTo(1_000_000)
  await keepLog(world)
  await keepLog(world)
  assert.deepEqual(await parts(), ['events_1', 'events_2000000'])
  await jumpTo(1_999_997)
  await append(5)
  const rows = await database.db.query<{ sequence: number }>(
    'select sequence from events order by sequence desc limit 5',
  )
  assert.deepEqual(
    rows.map(({ sequence }) => sequence),
    [2_000_002, 2_000_001, 2_000_000, 1_999_999, 1_999_998],
  )
})

test('rule 19: what a subscriber has not acknowledged is kept, however old; else old parts are dropped whole', async () => {
  await acknowledge('slow', 1_999_998)
  await acknowledge('quick', 2_000_002)
  await world.clock.advance(31 * DAY_MS)
  await keepLog(world)
  assert.equal((await parts()).includes('events_1'), true)
  await acknowledge('slow', 1_999_999)
  await keepLog(world)
  assert.equal((await parts()).includes('events_1'), false)
  assert.equal(await count(), 3)
})

test('what is young is kept, though all have read it', async () => {
  await jumpTo(2_999_999)
  await keepLog(world)
  await append(1)
  await acknowledge('slow', 3_000_000)
  await acknowledge('quick', 3_000_000)
  await world.clock.advance(29 * DAY_MS)
  await keepLog(world)
  assert.equal((await parts()).includes('events_2000000'), false, 'its events are 60 days old')
  await jumpTo(3_999_999)
  await append(1)
  await keepLog(world)
  await acknowledge('slow', 4_000_000)
  await acknowledge('quick', 4_000_000)
  await keepLog(world)
  assert.equal((await parts()).includes('events_3000000'), true)
})
