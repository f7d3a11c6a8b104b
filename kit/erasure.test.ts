/** Proves how a service forgets: after whoever was faster, in steps, each erasure to its end whatever becomes of others. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { findErased, holdErasures, recordErased } from './erased-subjects.ts'
import { createErasure, type Erasure, type Forget } from './erasure.ts'
import { ConnectionLost, type Database, type Transaction } from './postgres.ts'
import {
  createTestClock,
  createTestDatabase,
  createTestWorld,
  whileHeld,
  type TestClock,
  type TestDatabase,
} from './testing.ts'
import { realTimers } from './time.ts'

let database: TestDatabase
let clock: TestClock
let open: Erasure[] = []

before(async () => {
  const migrations = new URL('./fixtures/migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'kit', migrations })
})
after(() => database.drop())
beforeEach(async () => {
  await database.db.query('truncate erased_subjects, idempotency_keys, items restart identity')
  clock = createTestClock()
})
afterEach(async () => {
  await Promise.all(open.map((erasure) => erasure.stop()))
  open = []
})

const erase = (...subjects: string[]) =>
  database.db.transaction((tx) => Promise.resolve(record(tx, ...subjects)))

function record(tx: Transaction, ...subjects: string[]): void {
  const erasedAt = new Date(clock.now())
  recordErased(
    tx,
    subjects.map((subject) => ({ subject, erasedAt })),
  )
}

const unforgotten = async () => {
  const rows = await database.db.query<{ subject: string }>(
    'select subject from erased_subjects where forgotten_at is null order by position',
  )
  return rows.map(({ subject }) => subject)
}

function newErasure(forget?: Forget, db: Database = database.db) {
  const world = createTestWorld({ config: {}, db, clock })
  const erasure = createErasure({ ...world, log: { ...world.log, error() {} } }, forget)
  open.push(erasure)
  return erasure
}

/** Waits in real time while the clock stands still. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries += 1) {
    assert.ok(tries < 500, 'not within 5 s')
    await realTimers.sleep(10)
  }
}

const allForgotten = () => until(async () => (await unforgotten()).length === 0)

/** Inserts, unless the subject is erased, as whoever takes something from subjects does. */
async function takeFrom(tx: Transaction, subject: string): Promise<boolean> {
  holdErasures(tx)
  if ((await findErased(tx, [subject])).has(subject)) return false
  await tx.query('insert into items values ($1, 1)', [subject])
  return true
}

test('rule 22: what is taken while an erasure is being recorded waits for it, and is refused', async () => {
  const taken = await whileHeld(
    database.db,
    async (tx) => {
      record(tx, 'usr_1')
      await tx.query('select 1')
    },
    {
      work: () => database.db.transaction((tx) => takeFrom(tx, 'usr_1')),
      look: () => Promise.resolve(),
    },
  )
  assert.equal(taken, false)
  assert.deepEqual(await database.db.query('select from items'), [])
})

test('rule 22: an erasure waits for what is being taken, so that whoever forgets finds it', async () => {
  const found: unknown[] = []
  const erasure = newErasure(async (tx, subject) => {
    found.push(...(await tx.query('select id from items where id = $1', [subject])))
    return undefined
  })
  await whileHeld(database.db, (tx) => takeFrom(tx, 'usr_1'), {
    work: () => erase('usr_1'),
    look: async () => assert.deepEqual(await unforgotten(), []),
  })
  await erasure.start()
  await clock.advance(0)
  await allForgotten()
  assert.deepEqual(found, [{ id: 'usr_1' }])
})

test('two who take something at the same time do not wait for each other', async () => {
  const both = await database.db.transaction(async (tx) => [
    await takeFrom(tx, 'usr_1'),
    await database.db.transaction((other) => takeFrom(other, 'usr_2')),
  ])
  assert.deepEqual(both, [true, true])
})

test('an erasure that is told again changes nothing', async () => {
  await erase('usr_1', 'usr_1')
  await database.db.query('update erased_subjects set forgotten_at = erased_at')
  await clock.advance(1_000)
  await erase('usr_1')
  const rows = await database.db.query<{ erased_at: Date }>('select erased_at from erased_subjects')
  assert.deepEqual(
    rows.map(({ erased_at }) => clock.now() - erased_at.getTime()),
    [1_000],
  )
  assert.deepEqual(await unforgotten(), [])
})

test('it is forgotten in steps, one transaction each, from where the last step ended', async () => {
  const steps: [string, number][] = []
  const erasure = newErasure(async (tx, subject, progress) => {
    steps.push([subject, progress])
    await tx.query('insert into items values ($1, 1)', [`${subject} ${progress}`])
    if (steps.length === 2) throw new ConnectionLost('in the middle')
    return progress < 20 ? progress + 10 : undefined
  })
  await erase('usr_1', 'usr_2')
  await erasure.start()
  await clock.advance(0)
  await until(() => Promise.resolve(clock.untilNextMs() === 60_000 && steps.length === 2))
  await clock.advance(60_000)
  await allForgotten()
  const all = ['usr_1', 'usr_2'].flatMap((who) =>
    [0, 10, 20].map((at): [string, number] => [who, at]),
  )
  assert.deepEqual(steps, [['usr_1', 0], ['usr_1', 10], ...all.slice(1)])
  const done = await database.db.query('select from items')
  assert.equal(done.length, 6, 'what was lost in the middle has left nothing')
})

test('rule 16: an erasure that fails holds up no other, and is tried again', async () => {
  let isBroken = true
  const erasure = newErasure((_tx, subject) => {
    if (isBroken && subject === 'usr_1') throw new Error('a bug')
    return Promise.resolve(undefined)
  })
  await erase('usr_1', 'usr_2', 'usr_3')
  await erasure.start()
  await clock.advance(0)
  await until(async () => (await unforgotten()).length === 1)
  assert.deepEqual(await unforgotten(), ['usr_1'])
  isBroken = false
  await until(() => Promise.resolve(clock.untilNextMs() === 60_000))
  await clock.advance(60_000)
  await allForgotten()
})

test('replicas forget different subjects at the same time, none of them twice', async () => {
  const seen: string[] = []
  let both = () => {}
  const met = new Promise<void>((resolve) => (both = resolve))
  const forget: Forget = async (_tx, subject) => {
    seen.push(subject)
    if (seen.length === 2) both()
    await met
    return undefined
  }
  await erase('usr_1', 'usr_2')
  const replicas = [newErasure(forget), newErasure(forget)]
  for (const replica of replicas) await replica.start()
  await clock.advance(0)
  await allForgotten()
  assert.deepEqual(seen.toSorted(), ['usr_1', 'usr_2'])
})

test('what was answered to a subject is forgotten, however much, and nothing of others', async () => {
  await database.db.query(
    `insert into idempotency_keys (scope, request_hash, leased_until, created_at, subject)
     select n::text, '', $1, $1, case when n <= 1200 then 'usr_1' when n = 1201 then 'usr_2' end
     from generate_series(1, 1202) as n`,
    [new Date(clock.now())],
  )
  await erase('usr_1')
  const erasure = newErasure()
  await erasure.start()
  await clock.advance(0)
  await allForgotten()
  assert.deepEqual(
    await database.db.query('select subject from idempotency_keys order by subject'),
    [{ subject: 'usr_2' }, { subject: null }],
  )
})

test('an event of its subscription is recorded, and wakes it', async () => {
  let looks = 0
  const transaction: Database['transaction'] = async (work) => {
    const result = await database.db.transaction(work)
    looks += 1
    return result
  }
  const erasure = newErasure(undefined, { ...database.db, transaction })
  await erasure.start()
  await clock.advance(0)
  await until(() => Promise.resolve(looks === 1)) // and found nothing
  const feed = { source: 'things', baseUrl: '', token: () => Promise.resolve(''), types: [] }
  const { apply, applied } = erasure.subscription(feed)
  const time = new Date(clock.now())
  const event = { sequence: 1, id: 'evt_1', type: 'gone.v1', subject: 'usr_1', time, data: {} }
  await database.db.transaction((tx) => apply(tx, [event]))
  applied?.([event])
  await clock.advance(0)
  await allForgotten()
  await until(() => Promise.resolve(erasure.has('usr_1')))
})
