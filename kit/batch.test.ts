/** Proves batching: who rides with whom, whose failure is whose, and that a queue has an end. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createBatcher, settleItems } from './batch.ts'
import { ConnectionLost, sqlState, type Database } from './postgres.ts'
import { Problem, problemResponse } from './problem.ts'
import { advanceUntil, createTestClock, createTestDatabase, type TestDatabase } from './testing.ts'

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
beforeEach(() => db.query('delete from items'))

/** A `run` whose batches stay in flight until the test ends them, in any sequence. */
function heldRun() {
  const batches: { items: number[]; end: (outcomes?: string[]) => void }[] = []
  const run = (items: number[]) =>
    new Promise<string[]>((resolve) => {
      const end = (outcomes = items.map((item) => `did ${item}`)) => resolve(outcomes)
      batches.push({ items, end })
    })
  return { run, batches, sizes: () => batches.map(({ items }) => items.length) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const timers = createTestClock().timers // stands still: batching must need no timer

type Item = { id: string; quantity: number }

/** Inserts a batch in one statement, as services do. */
const insertItems = (items: Item[]) =>
  db.transaction(async (tx) => {
    await tx.query('insert into items select * from unnest($1::text[], $2::bigint[])', [
      items.map(({ id }) => id),
      items.map(({ quantity }) => quantity),
    ])
    return items.map(({ id }) => `stored ${id}`)
  })

test('what arrives while a batch is in flight rides together in the next, without a timer', async () => {
  const { run, batches, sizes } = heldRun()
  const batcher = createBatcher({ name: 'test', run, timers })
  const first = batcher.add(1)
  await turn()
  const rest = [2, 3, 4].map((item) => batcher.add(item))
  await turn()
  assert.deepEqual(sizes(), [1])
  assert.equal(batcher.queued(), 3)
  batches[0]?.end()
  assert.equal(await first, 'did 1')
  await turn()
  assert.deepEqual(sizes(), [1, 3])
  batches[1]?.end()
  assert.deepEqual(await Promise.all(rest), ['did 2', 'did 3', 'did 4'])
})

test('what arrives in the same tick shares the first batch, of at most maxSize', async () => {
  const { run, batches, sizes } = heldRun()
  const batcher = createBatcher({ name: 'test', run, timers, maxSize: 2 })
  const all = [1, 2, 3].map((item) => batcher.add(item))
  await turn()
  assert.deepEqual(sizes(), [2])
  batches[0]?.end()
  await turn()
  assert.deepEqual(sizes(), [2, 1])
  batches[1]?.end()
  assert.deepEqual(await Promise.all(all), ['did 1', 'did 2', 'did 3'])
})

test('as many batches run at once as there are lanes', async () => {
  const { run, batches, sizes } = heldRun()
  const batcher = createBatcher({ name: 'test', run, timers, maxSize: 1, lanes: 2 })
  const all = [1, 2, 3].map((item) => batcher.add(item))
  await turn()
  assert.deepEqual(sizes(), [1, 1])
  batches[1]?.end() // the second lane is done first, and takes the next
  await turn()
  assert.deepEqual(sizes(), [1, 1, 1])
  batches[2]?.end()
  batches[0]?.end()
  assert.deepEqual(await Promise.all(all), ['did 1', 'did 2', 'did 3'])
})

test('a batch goes beside another only when it is worth it, or when the other takes its time', async () => {
  const clock = createTestClock()
  const { run, batches, sizes } = heldRun()
  const batcher = createBatcher({
    name: 'test',
    run,
    timers: clock.timers,
    lanes: 3,
    minBeside: 3,
  })
  const add = async (...items: number[]) => {
    for (const item of items) void batcher.add(item)
    await turn()
  }
  await add(1)
  await add(2)
  await add(3)
  assert.deepEqual(sizes(), [1]) // two wait: too few to go beside it
  await add(4)
  assert.deepEqual(sizes(), [1, 3])
  await add(5)
  await clock.advance(49)
  assert.deepEqual(sizes(), [1, 3])
  await clock.advance(1)
  assert.deepEqual(sizes(), [1, 3, 1]) // nobody is held back by batches that hang
  await add(6)
  batches[0]?.end()
  await turn()
  assert.deepEqual(sizes(), [1, 3, 1])
  for (const batch of batches) batch.end()
  await turn()
  assert.deepEqual(sizes(), [1, 3, 1, 1])
})

test('a full queue refuses one more with a 503 problem and Retry-After, and takes again later', async () => {
  const { run, batches } = heldRun()
  const batcher = createBatcher({ name: 'uploads', run, timers, maxQueued: 2 })
  const running = batcher.add(1)
  await turn()
  const waiting = [batcher.add(2), batcher.add(3)]
  const refused = await batcher.add(4).catch((error: unknown) => error)
  assert.ok(refused instanceof Problem)
  const response = problemResponse(refused, '/uploads')
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('retry-after'), '1')
  batches[0]?.end()
  await running
  await turn()
  const later = batcher.add(5)
  batches[1]?.end()
  await Promise.all(waiting)
  await turn()
  batches[2]?.end()
  assert.equal(await later, 'did 5')
})

test('more or fewer outcomes than items are nobody’s outcomes', async () => {
  const { run, batches } = heldRun()
  const batcher = createBatcher({ name: 'test', run, timers })
  const all = Promise.allSettled([batcher.add(1), batcher.add(2)])
  await turn()
  batches[0]?.end(['one'])
  assert.deepEqual(
    (await all).map(({ status }) => status),
    ['rejected', 'rejected'],
  )
})

test('rule 16: one bad item among 100 fails alone on PostgreSQL', async () => {
  let runs = 0
  const run = (items: Item[]) => {
    runs += 1
    return insertItems(items)
  }
  const batcher = createBatcher({ name: 'test', run, timers })
  const items = Array.from({ length: 100 }, (_, index) => ({ id: `i${index}`, quantity: 1 }))
  items[37] = { id: 'i37', quantity: 0 } // the table's check refuses it
  const results = await Promise.allSettled(items.map((item) => batcher.add(item)))
  for (const [index, result] of results.entries()) {
    if (index === 37) {
      assert.ok(result.status === 'rejected' && sqlState(result.reason) === '23514')
    } else {
      assert.deepEqual(result, { status: 'fulfilled', value: `stored i${index}` })
    }
  }
  assert.deepEqual(await db.query('select count(*) as stored from items'), [{ stored: 99 }])
  assert.ok(runs <= 15, `${runs} runs for one bad item`) // two for each of 7 halvings, and the first
})

test('rule 16: many bad items fail alone, whatever PostgreSQL cannot hold in them', async () => {
  const items = [
    { id: 'a', quantity: 1 },
    { id: 'nul\0', quantity: 1 },
    { id: 'b', quantity: 1 },
    { id: 'huge', quantity: 1e300 },
    { id: 'a', quantity: 2 },
  ]
  const results = await settleItems(insertItems, items)
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'rejected'],
  )
})

test('an error that is no item’s fault is told to all, and the batch is not halved', async () => {
  let runs = 0
  const failure = new Error('broken')
  const batcher = createBatcher({
    name: 'test',
    timers,
    run: async () => {
      runs += 1
      throw failure
    },
  })
  const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.add(item)))
  for (const result of results) assert.deepEqual(result, { status: 'rejected', reason: failure })
  assert.equal(runs, 1)
  await assert.rejects(batcher.add(4), failure) // and the next batch runs
})

test('rule 16: a batch whose connection was lost is asked again, then given up', async () => {
  const clock = createTestClock()
  let losses = 2
  const asked: number[][] = []
  const batcher = createBatcher({
    name: 'test',
    timers: clock.timers,
    run: async (items: number[]) => {
      asked.push(items)
      losses -= 1
      if (losses >= 0) throw new ConnectionLost(undefined)
      return items
    },
  })
  const both = Promise.all([batcher.add(1), batcher.add(2)])
  assert.deepEqual(await advanceUntil(clock, both), [1, 2])
  assert.deepEqual(asked, [
    [1, 2],
    [1, 2],
    [1, 2],
  ])
  losses = 3
  await assert.rejects(advanceUntil(clock, batcher.add(3)), ConnectionLost)
})

test('an item that still waits at its deadline is refused and never run', async () => {
  const clock = createTestClock()
  const { run, batches } = heldRun()
  const batcher = createBatcher({ name: 'test', run, timers, clock })
  const first = batcher.add(0)
  await turn()
  const late = assert.rejects(batcher.add(1, clock.now() + 100), { code: 'deadline_exceeded' })
  const patient = batcher.add(2, clock.now() + 101)
  const without = batcher.add(3)
  await clock.advance(100)
  batches[0]?.end()
  await late
  assert.deepEqual(batches[1]?.items, [2, 3])
  batches[1]?.end()
  assert.deepEqual(await Promise.all([first, patient, without]), ['did 0', 'did 2', 'did 3'])
  await assert.rejects(batcher.add(4, clock.now()), { code: 'deadline_exceeded' })
  const next = batcher.add(5)
  await turn()
  batches[2]?.end()
  assert.equal(await next, 'did 5', 'the queue goes on')
})
