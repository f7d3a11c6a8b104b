/** Proves what becomes of kit's own writes whose commit is lost or frozen, and that the stand-in does what it says. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { applyPage } from '../apply-events.ts'
import { appendEvents, sequenceOutbox } from '../events.ts'
import { createHttp } from '../http.ts'
import { idempotent } from '../idempotency.ts'
import { ConnectionLost } from '../postgres.ts'
import {
  createTestClock,
  createTestDatabase,
  createTestWorld,
  whileAdvancing,
  type TestClock,
  type TestDatabase,
} from '../testing.ts'
import { insert } from './event-pair.ts'
import { createLossyDatabase, losingEachCommit, type LossyDatabase } from './lossy-postgres.ts'

let database: TestDatabase
let lossy: LossyDatabase
before(async () => {
  const migrations = new URL('../fixtures/migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'kit', migrations })
  lossy = await createLossyDatabase(database)
})
after(async () => {
  await lossy.close()
  await database.drop()
})
beforeEach(async () => {
  await database.db.query('truncate outbox, events, idempotency_keys')
  await database.db.query('update event_counter set last_sequence = 0')
})

const append = (db: TestDatabase['db'], ...subjects: string[]) =>
  db.transaction(async (tx) =>
    appendEvents(
      tx,
      createTestWorld({ config: {}, db }),
      subjects.map((subject) => ({ type: 'thing.happened.v1', subject, data: {} })),
    ),
  )

const numbered = async () =>
  (
    await database.db.query<{ line: string }>(
      `select sequence || ' ' || subject as line from events order by sequence`,
    )
  ).map(({ line }) => line)

// As whoever finds that another numbers: looks again.
async function numberAll(): Promise<void> {
  const untilMs = performance.now() + 8_000
  while ((await waiting()).length > 0) {
    assert.ok(performance.now() < untilMs)
    await database.db.transaction(sequenceOutbox)
  }
}

const waiting = () => database.db.query('select from outbox')

test('a commit that is lost as it is asked for did not happen, one lost as it is answered did', async () => {
  lossy.lose('asked')
  await assert.rejects(append(lossy.db, 'never'), ConnectionLost)
  assert.ok(lossy.wasLost())
  assert.equal((await waiting()).length, 0)
  lossy.lose('answered')
  await assert.rejects(append(lossy.db, 'done'), ConnectionLost)
  assert.ok(lossy.wasLost())
  assert.equal((await waiting()).length, 1)
  await append(lossy.db, 'again') // nothing more is lost
  assert.equal((await waiting()).length, 2)
})

test('rule 18: numbers stay without gaps, whichever commit of the sequencer is lost', async () => {
  const expected: string[] = []
  const losses = await losingEachCommit(lossy, async (run) => {
    await append(database.db, `${run}a`, `${run}b`)
    expected.push(`${expected.length + 1} ${run}a`, `${expected.length + 2} ${run}b`)
    await lossy.db.transaction(sequenceOutbox).catch((error: unknown) => {
      assert.ok(error instanceof ConnectionLost)
    })
    await numberAll() // PostgreSQL may need a moment to see that the other's connection is gone
    assert.deepEqual(await numbered(), expected)
  })
  assert.equal(losses, 2)
})

test('rules 15, 18: a sequencer that freezes keeps others from numbering for 2 s, and numbers nothing twice', async () => {
  await append(database.db, 'a', 'b')
  lossy.lose('frozen')
  const frozen = lossy.db.transaction(sequenceOutbox)
  await lossy.frozen(frozen)
  await numberAll()
  lossy.thaw()
  await assert.rejects(frozen, ConnectionLost)
  await append(lossy.db, 'c')
  await lossy.db.transaction(sequenceOutbox)
  assert.deepEqual(await numbered(), ['1 a', '2 b', '3 c'])
})

/** Posts by one key to a replica on `db`, whose effect is `run`. */
function post(db: TestDatabase['db'], clock: TestClock, run: () => Promise<number>) {
  const world = createTestWorld({ config: {}, db, clock })
  const http = createHttp(world, { name: 'kit', title: '', description: '', accepting: () => true })
  const keyed = idempotent(world, async () => ({ subject: 'somebody' }))
  http.post('/things', keyed, async (c) => c.json({ runs: await run() }, 201))
  const headers = { 'idempotency-key': 'key-1', 'content-type': 'application/json' }
  const init = { method: 'POST', headers, body: '{}' }
  return Promise.resolve(http.fetch(new Request('http://kit.test/things', init)))
}

test('rule 17: a key whose claim was answered into the void is claimed by the same request', async () => {
  const clock = createTestClock()
  let runs = 0
  const run = async () => (runs += 1)
  lossy.lose('answered')
  const answer = await post(lossy.db, clock, run)
  assert.ok(lossy.wasLost())
  assert.equal(answer.status, 201)
  assert.equal((await post(lossy.db, clock, run)).headers.get('idempotent-replayed'), 'true')
  assert.equal(runs, 1)
})

test('rule 17: whose claim was answered into the void takes no claim of another', async () => {
  const clock = createTestClock()
  const running = Promise.withResolvers<number>()
  const begun = Promise.withResolvers<void>()
  const first = post(database.db, clock, () => {
    begun.resolve()
    return running.promise
  })
  await begun.promise
  await clock.advance(1_000)
  lossy.lose('answered')
  const second = post(lossy.db, clock, () => assert.fail('it ran twice'))
  const answer = await whileAdvancing(clock, second)
  assert.ok(lossy.wasLost())
  assert.equal(answer.status, 409)
  running.resolve(1)
  assert.equal((await first).status, 201)
})

test('rule 19: events whose commit is lost are applied once, whichever commit it is', async () => {
  const event = { id: 'evt', type: 'thing.happened.v1', time: new Date(0), data: {} }
  const page = {
    events: [1, 2].map((sequence) => ({ ...event, sequence, subject: `thing_${sequence}` })),
    position: 2,
  }
  const world = createTestWorld({ config: {}, db: lossy.db })
  const renewal = { holder: 'reader', until: new Date(0) }
  const positionOf = async () => {
    const [row] = await database.db.query<{ position: number }>(
      'select position from subscriptions',
    )
    return row?.position ?? -1
  }
  const losses = await losingEachCommit(lossy, async (run) => {
    await database.db.query('truncate subscriptions, items, set_aside_events')
    await database.db.query(`insert into subscriptions (source, position) values ('things', 0)`)
    for (let from = 0; from < 2; from = await positionOf()) {
      // As a reader does: what can't be told is looked at again.
      await applyPage(world, { source: 'things', apply: insert }, renewal, { from, page }).catch(
        (error: unknown) => assert.ok(error instanceof ConnectionLost, String(error)),
      )
    }
    const items = await database.db.query<{ id: string }>('select id from items order by id')
    assert.deepEqual(
      items.map(({ id }) => id),
      ['thing_1', 'thing_2'],
      run,
    )
    assert.deepEqual(await database.db.query('select from set_aside_events'), [], run)
  })
  assert.ok(losses >= 2, `${losses} lost`)
})
