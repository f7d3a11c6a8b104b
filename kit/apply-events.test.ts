/** Proves that a page is applied by one of those that read it, whichever comes first and however late another is. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { applyPage } from './apply-events.ts'
import type { Transaction } from './postgres.ts'
import { createTestDatabase, createTestWorld, type TestDatabase } from './testing.ts'

let database: TestDatabase
before(async () => {
  const migrations = new URL('./fixtures/migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'kit', migrations })
  await database.db.query(`insert into subscriptions (source, position) values ('things', 0)`)
})
after(() => database.drop())

const page = {
  events: [1, 2].map((sequence) => ({
    id: `evt_${sequence}`,
    type: 'thing.happened.v1',
    time: new Date(0),
    data: {},
    subject: `thing_${sequence}`,
    sequence,
  })),
  position: 2,
}

// Counts: what is applied twice is no error here, and is seen.
const count = async (tx: Transaction, events: { subject: string }[]) => {
  await tx.query(
    `insert into items as known select unnest($1::text[]), 1
     on conflict (id) do update set quantity = known.quantity + 1`,
    [events.map(({ subject }) => subject)],
  )
}

/** A replica that has read the page when nothing was applied yet. */
function applyAs(holder: string): Promise<number | undefined> {
  const world = createTestWorld({ config: {}, db: database.db })
  const handler = { source: 'things', apply: count }
  return applyPage(world, handler, { holder, until: new Date(0) }, { from: 0, page })
}

test('rule 19: a page that several replicas have read is applied by one of them, also when another comes late', async () => {
  const atOnce = await Promise.all(['first', 'second', 'third'].map(applyAs))
  const late = await applyAs('late')
  assert.deepEqual(
    atOnce.filter((to) => to !== undefined),
    [2],
  )
  assert.equal(late, undefined)
  const items = await database.db.query('select id, quantity from items order by id')
  assert.deepEqual(items, [
    { id: 'thing_1', quantity: 1 },
    { id: 'thing_2', quantity: 1 },
  ])
})
