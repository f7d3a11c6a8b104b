/** Proves rule 18 on a real PostgreSQL: events are numbered without gaps, so that no reader can miss one. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { appendEvents, createSequencer, sequenceOutbox, type Sequencer } from './events.ts'
import type { Database } from './postgres.ts'
import { createTestDatabase, createTestWorld, type TestDatabase } from './testing.ts'
import { realClock, realTimers } from './time.ts'

let database: TestDatabase
let db: Database

before(async () => {
  database = await createTestDatabase({
    name: 'kit',
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  })
  db = database.db
})

after(() => database.drop())

beforeEach(async () => {
  await db.query('truncate outbox, events')
  await db.query('update event_counter set last_sequence = 0')
})

const testWorld = () => createTestWorld({ config: {}, db })
const realWorld = () => ({ ...testWorld(), clock: realClock, timers: realTimers })

const happened = (subject: string, number = 0) => ({
  type: 'thing.happened.v1',
  subject,
  data: { number },
})

const append = (...subjects: string[]) =>
  db.transaction(async (tx) =>
    appendEvents(
      tx,
      testWorld(),
      subjects.map((subject) => happened(subject)),
    ),
  )

type Read = { sequence: number; subject: string; data: { number: number } }

const readAfter = (last: number) =>
  db.query<Read>(
    'select sequence, subject, data from events where sequence > $1 order by sequence',
    [last],
  )

const numbered = async () =>
  (await readAfter(0)).map(({ sequence, subject }) => `${sequence} ${subject}`)

/** Waits, without a timer, until `condition` holds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 10_000
  while (!(await condition())) {
    assert.ok(Date.now() < deadlineMs, 'nothing happened for 10 s')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('rule 18: events are numbered from 1 as they were appended, and keep what they say', async () => {
  await append('a', 'b', 'c')
  await append('d')
  assert.equal(await db.transaction(sequenceOutbox), 4)
  assert.deepEqual(await numbered(), ['1 a', '2 b', '3 c', '4 d'])
  const [row] = await db.query('select id, type, time, data from events where sequence = 1')
  assert.match(String(row?.['id']), /^evt_/)
  assert.equal(row?.['type'], 'thing.happened.v1')
  assert.deepEqual(row['time'], new Date(testWorld().clock.now()))
  assert.deepEqual(row['data'], { number: 0 })
  assert.deepEqual(await db.query('select from outbox'), [])
})

test('an event of a transaction that is rolled back never existed', async () => {
  const failed = db.transaction(async (tx) => {
    appendEvents(tx, testWorld(), [happened('never')])
    throw new Error('no')
  })
  await assert.rejects(failed)
  assert.equal(await db.transaction(sequenceOutbox), 0)
  await append('a')
  await db.transaction(sequenceOutbox)
  assert.deepEqual(await numbered(), ['1 a'])
})

test('rule 18: a reader of sequence > last misses nothing that commits late', async () => {
  const late = Promise.withResolvers<void>()
  const appended = Promise.withResolvers<void>()
  const slow = db.transaction(async (tx) => {
    appendEvents(tx, testWorld(), [happened('late')])
    appended.resolve()
    await late.promise
  })
  await appended.promise
  await append('early') // a later position, an earlier commit
  await db.transaction(sequenceOutbox)
  const first = await readAfter(0)
  assert.deepEqual(
    first.map(({ subject }) => subject),
    ['early'],
  )
  late.resolve()
  await slow
  await db.transaction(sequenceOutbox)
  assert.deepEqual(
    (await readAfter(first[0]?.sequence ?? 0)).map(({ subject }) => subject),
    ['late'],
  )
})

test('rule 18: the numbers go on after retention deleted every event', async () => {
  await append('a', 'b')
  await db.transaction(sequenceOutbox)
  await db.query('delete from events')
  await append('c')
  await db.transaction(sequenceOutbox)
  assert.deepEqual(await numbered(), ['3 c'])
})

test('rule 18: one sequencer at a time; the other does not wait', async () => {
  await append('a')
  await db.transaction(async (tx) => {
    assert.equal(await sequenceOutbox(tx), 1)
    assert.equal(await db.transaction(sequenceOutbox), 0)
  })
  assert.deepEqual(await numbered(), ['1 a'])
})

test('rule 18: four writers, three sequencers and a reader: no gap, no skip, each writer’s sequence kept', async () => {
  const world = realWorld()
  const sequencers = [1, 2, 3].map(() => createSequencer(world))
  for (const sequencer of sequencers) sequencer.start()
  const write = async (writer: number) => {
    for (let number = 1; number <= 30; number += 1) {
      await db.transaction(async (tx) => appendEvents(tx, world, [happened(`w${writer}`, number)]))
      sequencers[number % 3]?.ring()
    }
  }
  const seen: Read[] = []
  const read = async () => {
    while (seen.length < 120) seen.push(...(await readAfter(seen.at(-1)?.sequence ?? 0)))
  }
  await Promise.all([read(), ...[1, 2, 3, 4].map(write)])
  await Promise.all(sequencers.map((sequencer) => sequencer.stop()))
  assert.deepEqual(
    seen.map(({ sequence }) => sequence),
    Array.from({ length: 120 }, (_, index) => index + 1),
  )
  for (const writer of [1, 2, 3, 4]) {
    const numbers = seen.filter(({ subject }) => subject === `w${writer}`)
    assert.deepEqual(
      numbers.map(({ data }) => data.number),
      Array.from({ length: 30 }, (_, index) => index + 1),
    )
  }
})

test('a ring while another replica numbers is not forgotten', async () => {
  let tries = 0
  const counting: Database = {
    ...db,
    transaction: (work) => db.transaction(work).finally(() => (tries += 1)),
  }
  const world = { ...testWorld(), db: counting }
  const sequencer = createSequencer(world)
  await db.transaction(async (tx) => {
    await sequenceOutbox(tx) // the other replica holds the lock, and has already looked
    await append('a')
    sequencer.start()
    await until(async () => tries === 1)
    assert.deepEqual(await numbered(), [])
  })
  await world.clock.advance(100) // the sweep would come after 5 s
  await until(async () => tries > 1)
  await sequencer.stop()
  assert.deepEqual(await numbered(), ['1 a'])
})

test('more than a thousand waiting events are numbered in one ring', async () => {
  const subjects = Array.from({ length: 2_500 }, (_, index) => `s${index}`)
  await append(...subjects)
  const sequencer = createSequencer(testWorld())
  sequencer.start()
  await until(async () => (await numbered()).length === 2_500)
  await sequencer.stop()
  assert.deepEqual(
    (await readAfter(0)).map(({ subject }) => subject),
    subjects,
  )
})

test('rule 18: what a dead replica left in the outbox is found by another’s sweep', async () => {
  const world = testWorld()
  const sequencer: Sequencer = createSequencer(world)
  await append('first')
  sequencer.start() // rings once
  await until(async () => (await numbered()).length === 1)
  await append('orphan') // committed; its replica died before it rang
  await world.clock.advance(4_900)
  assert.deepEqual(await numbered(), ['1 first'])
  await world.clock.advance(100)
  await until(async () => (await numbered()).length === 2)
  await sequencer.stop()
  assert.deepEqual(await numbered(), ['1 first', '2 orphan'])
})

test('a sequencer that failed once goes on with the next ring', async () => {
  let failures = 1
  const flaky: Database = {
    ...db,
    transaction: (work) => {
      failures -= 1
      return failures >= 0 ? Promise.reject(new Error('lost')) : db.transaction(work)
    },
  }
  const world = { ...testWorld(), db: flaky }
  const sequencer = createSequencer(world)
  await append('a')
  sequencer.start() // fails
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(await numbered(), [])
  sequencer.ring()
  await world.clock.advance(10)
  await until(async () => (await numbered()).length === 1)
  await sequencer.stop()
})

test('what was rung for just before a stop is numbered by it', async () => {
  const sequencer = createSequencer(testWorld())
  sequencer.start()
  await append('last')
  sequencer.ring()
  await sequencer.stop()
  assert.deepEqual(await numbered(), ['1 last'])
})
