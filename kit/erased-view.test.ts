/** Proves that every replica knows at once who is erased, for as long as it matters, and no more than it can hold. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { recordErased } from './erased-subjects.ts'
import { createErasedView, type ErasedView } from './erased-view.ts'
import type { Database } from './postgres.ts'
import {
  createTestClock,
  createTestDatabase,
  createTestWorld,
  type TestClock,
  type TestDatabase,
} from './testing.ts'
import { realTimers } from './time.ts'

const MINUTE_MS = 60_000

let database: TestDatabase
let clock: TestClock
let views: ErasedView[] = []

before(async () => {
  const migrations = new URL('./fixtures/migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'kit', migrations })
})
after(() => database.drop())
beforeEach(async () => {
  await database.db.query('truncate erased_subjects restart identity')
  clock = createTestClock()
})
afterEach(async () => {
  await Promise.all(views.map((view) => view.stop()))
  views = []
})

async function open(max?: number, changes: Partial<Database> = {}): Promise<ErasedView> {
  const db = { ...database.db, ...changes }
  const view = createErasedView(createTestWorld({ config: {}, db, clock }), max)
  await view.start()
  views.push(view)
  return view
}

const erase = (minutesAgo: number, ...subjects: string[]) =>
  database.db.transaction(async (tx) => {
    const erasedAt = new Date(clock.now() - minutesAgo * MINUTE_MS)
    recordErased(
      tx,
      subjects.map((subject) => ({ subject, erasedAt })),
    )
  })

/** Waits in real time: for PostgreSQL, not for the clock. */
async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    assert.ok(tries < 1_000, 'not within 5 s')
    await realTimers.sleep(5)
  }
}

test('rule 22: who is erased is known to all replicas at once, while no clock moves', async () => {
  const replicas = [await open(), await open()]
  await erase(0, 'usr_1')
  await until(() => replicas.every((view) => view.has('usr_1')))
  await erase(0, 'usr_2', 'usr_3')
  await until(() => replicas.every((view) => view.has('usr_2') && view.has('usr_3')))
  assert.deepEqual(
    replicas.map((view) => view.has('usr_4')),
    [false, false],
  )
})

test('a replica that starts knows who was erased while a token of theirs may still be good', async () => {
  await erase(62, 'usr_long_ago')
  await erase(60, 'usr_just_good')
  const view = await open()
  assert.deepEqual([view.has('usr_just_good'), view.has('usr_long_ago')], [true, false])
  await clock.advance(2 * MINUTE_MS)
  await until(() => !view.has('usr_just_good'))
})

test('it holds the newest, and no more than its limit, whether it starts or follows', async () => {
  await erase(0, 'a', 'b', 'c', 'd', 'e')
  let read = 0
  const query = async <Row>(text: string, values?: unknown[]) => {
    const rows = await database.db.query<Row>(text, values)
    if (text.includes('order by position')) read += rows.length
    return rows
  }
  const view = await open(3, { query })
  assert.equal(read, 3, 'it reads no more either')
  const known = () => 'abcdefgh'.replaceAll(/./g, (subject) => (view.has(subject) ? subject : ''))
  assert.equal(known(), 'cde')
  await erase(0, 'f', 'g')
  await until(() => view.has('g'))
  assert.equal(known(), 'efg')
})

test('more than a page of them is read to the last', async () => {
  await database.db.query(
    `insert into erased_subjects (subject, erased_at)
     select 'usr_' || n, $1 from generate_series(1, 10001) as n`,
    [new Date(clock.now())],
  )
  const view = await open()
  assert.deepEqual([view.has('usr_1'), view.has('usr_10001')], [true, true])
})

test('what could not be read is read a second later', async () => {
  let isDown = false
  const query: Database['query'] = (text, values) =>
    isDown ? Promise.reject(new Error('down')) : database.db.query(text, values)
  const heard = { ring: () => {} }
  const listen: Database['listen'] = (_channel, ring) => {
    heard.ring = ring
    return () => {}
  }
  const view = await open(undefined, { query, listen })
  await until(() => clock.untilNextMs() === MINUTE_MS)
  isDown = true
  await erase(0, 'usr_1')
  heard.ring()
  await until(() => clock.untilNextMs() === 1_000)
  assert.equal(view.has('usr_1'), false)
  isDown = false
  await clock.advance(1_000)
  await until(() => view.has('usr_1'))
})

test('what went unheard is found within a minute', async () => {
  const view = await open(undefined, { listen: () => () => {} })
  await until(() => clock.untilNextMs() === MINUTE_MS)
  await erase(0, 'usr_1')
  assert.equal(view.has('usr_1'), false)
  await clock.advance(MINUTE_MS)
  await until(() => view.has('usr_1'))
})
