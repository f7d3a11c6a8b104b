/** Proves following a subject: nothing is missed and nothing comes twice, whenever it is said; one reader for all who listen. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createBell, EVENTS_CHANNEL, type Bell } from './bell.ts'
import { hasUnnumbered } from './event-log.ts'
import { createEventTail, type EventTail, type Following } from './event-tail.ts'
import { appendEvents, sequenceOutbox } from './events.ts'
import type { Tx } from './postgres.ts'
import {
  advanceUntil,
  createTestClock,
  createTestDatabase,
  createTestWorld,
  type TestClock,
  type TestDatabase,
} from './testing.ts'

let database: TestDatabase
let bell: Bell
let tail: EventTail
let clock: TestClock
/** Statements of the tail, by what they ask; and what happens around them. */
let asked: string[]
let around: (statement: string, when: 'before' | 'after') => Promise<void>

before(async () => {
  const migrations = new URL('./fixtures/migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'kit', migrations })
})
after(async () => {
  bell.stop()
  await database.drop()
})

const STATEMENTS = {
  position: 'event_counter',
  past: 'materialized',
  heads: 'order by sequence limit $2',
}

beforeEach(async () => {
  bell?.stop()
  await database.db.query('truncate outbox, events')
  await database.db.query('update event_counter set last_sequence = 0')
  asked = []
  around = () => Promise.resolve()
  clock = createTestClock()
  bell = createBell({ db: database.db, timers: clock.timers }, EVENTS_CHANNEL)
  tail = createTail()
})

function createTail(): EventTail {
  const world = createTestWorld({ config: {}, db: database.db, clock })
  const query: Tx['query'] = async (text, values) => {
    const [statement = '?'] =
      Object.entries(STATEMENTS).find(([, words]) => text.includes(words)) ?? []
    asked.push(statement)
    await around(statement, 'before')
    const rows = await database.db.query(text, values)
    await around(statement, 'after')
    return rows as never
  }
  return createEventTail({ ...world, db: { ...database.db, query } }, bell)
}

let said = 0
const append = (subject: string) =>
  database.db.transaction(async (tx) => {
    said += 1
    const world = createTestWorld({ config: {}, db: database.db })
    appendEvents(tx, world, [{ type: `thing.said_${said}.v1`, subject, data: {} }])
  })

/** Says something of a subject, with its number at once. */
async function say(subject: string): Promise<void> {
  await append(subject)
  await database.db.transaction(sequenceOutbox)
}

/** Takes what was said of `thing` until its newest; fails when one is missing, or comes twice. */
async function takeAll(following: Following): Promise<void> {
  const sequences = following.past.map(({ sequence }) => sequence)
  const rows = await database.db.query<{ sequence: number }>(
    `select sequence from events where subject = 'thing' order by sequence`,
  )
  const all = rows.map(({ sequence }) => sequence)
  while (sequences.at(-1) !== all.at(-1)) sequences.push((await following.next())?.sequence ?? 0)
  assert.deepEqual(sequences, all)
}

const PLACES = Object.keys(STATEMENTS).flatMap((name) => [`before ${name}`, `after ${name}`])

test('rule 18: whatever is said while somebody begins to follow comes once, and in order', async () => {
  for (const isRead of [false, true]) {
    for (const place of PLACES.slice(isRead ? 2 : 0)) {
      const fresh = createTail()
      await say('thing')
      if (isRead) await fresh.follow('another')
      const happened = Promise.withResolvers<void>()
      let times = 0
      around = async (statement, when) => {
        if (`${when} ${statement}` !== place || times > 0) return
        times += 1
        await say('thing')
        happened.resolve()
      }
      const following = await fresh.follow('thing')
      if (place.endsWith('heads')) await say('another')
      await happened.promise
      await say('thing')
      await takeAll(following)
      await say('thing')
      assert.equal((await following.next())?.type, `thing.said_${said}.v1`, place)
      following.stop()
    }
  }
})

test('what is said of others is not heard; many who follow one subject all hear it', async () => {
  const followings = await Promise.all([1, 2, 3].map(() => tail.follow('thing')))
  await say('another')
  await say('thing')
  const heard = await Promise.all(followings.map(({ next }) => next()))
  assert.deepEqual(
    heard.map((head) => [head?.sequence, head?.subject]),
    [2, 2, 2].map((sequence) => [sequence, 'thing']),
  )
})

async function sayAndHearTheBell(): Promise<void> {
  const rung = bell.wait(bell.rings(), 60_000)
  await say('thing')
  await rung
}

test('the log is read once for all, and by nobody when nobody follows', async () => {
  await say('another')
  assert.deepEqual(asked, [])
  const followings = await Promise.all(Array.from({ length: 50 }, () => tail.follow('thing')))
  asked = []
  await say('thing')
  await Promise.all(followings.map(({ next }) => next()))
  assert.ok(asked.length <= 3, `${asked.length} statements for 50 who follow`)
  for (const { stop } of followings) stop()
  await sayAndHearTheBell()
  asked = []
  await sayAndHearTheBell()
  assert.deepEqual(asked, [])
  const again = await tail.follow('thing')
  assert.equal(again.past.length, 3)
})

test('who is stopped, or too far behind, hears no more', async () => {
  const [slow, stopped] = [await tail.follow('thing'), await tail.follow('thing')]
  const next = stopped.next()
  stopped.stop()
  assert.equal(await next, undefined)
  for (let n = 0; n < 101; n += 1) await append('thing')
  await database.db.transaction(sequenceOutbox)
  assert.equal(await slow.next(), undefined, 'it can follow anew, from what it was told last')
})

test('a subject tells its last hundred events; what has no number yet is known of', async () => {
  for (let n = 0; n < 120; n += 1) await append('thing')
  assert.equal(await hasUnnumbered(database.db, 'thing'), true)
  await database.db.transaction(sequenceOutbox)
  assert.equal(await hasUnnumbered(database.db, 'thing'), false)
  const { past } = await tail.follow('thing')
  assert.deepEqual([past.length, past[0]?.sequence, past.at(-1)?.sequence], [100, 21, 120])
})

test('a database that does not answer is told to who begins, and waited for by who listens', async () => {
  const following = await tail.follow('thing')
  around = () => Promise.reject(new Error('gone'))
  await assert.rejects(tail.follow('thing'), /gone/)
  const failed = Promise.withResolvers<void>()
  around = (statement) => {
    if (statement === 'heads') failed.resolve()
    return Promise.reject(new Error('gone'))
  }
  await say('thing')
  await failed.promise
  around = () => Promise.resolve()
  const heard = following.next()
  await advanceUntil(clock, heard)
  assert.equal((await heard)?.sequence, 1)
  const first = createTail()
  around = () => Promise.reject(new Error('gone'))
  await assert.rejects(first.follow('thing'), /gone/)
  around = () => Promise.resolve()
  assert.equal((await first.follow('thing')).past.length, 1, 'it begins anew')
})
