/** Proves what two replicas of products do to each other: nothing, whether one is slow, frozen or asked the same. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createLossyDatabase, type LossyDatabase } from '@quartet/kit/testing/lossy-postgres'
import { whileAdvancing } from '@quartet/kit/testing'
import type { App } from '@quartet/kit/world'
import {
  aDesk,
  call,
  createProduct,
  createTestProducts,
  levelsOf,
  release,
  reserve,
  type TestProducts,
} from './testing/shop.ts'

let at: TestProducts
let lossy: LossyDatabase
let freezing: App // the other replica is `at.app`
before(async () => {
  at = await createTestProducts()
  lossy = await createLossyDatabase(at.database)
  freezing = at.openIdle({ db: lossy.db })
})
after(async () => {
  await at.close()
  await lossy.close()
})

const outcomesOf = (outcomes: { outcome: string }[]) => outcomes.map(({ outcome }) => outcome)

let orders = 0
const newOrder = (productId: string, quantity = 1) => {
  orders += 1
  const lines = [{ product_id: productId, quantity }]
  return { order_id: `ord_${orders}`, owner_id: 'usr_1', lines }
}

// Far above the 2 s after which PostgreSQL ends a transaction that says nothing, and far below 10 s,
// after which whoever waits gives up.
const PATIENCE_MS = 8_000

test('rule 15: a replica that freezes as it commits holds the stock for 2 s, and does no harm when it wakes', async () => {
  const id = await createProduct(at, { stock: 10 })
  const [held, wanted] = [newOrder(id, 3), newOrder(id, 2)]
  lossy.lose('frozen')
  const frozen = reserve(at, [held], freezing)
  await lossy.frozen(frozen)
  const sinceMs = performance.now()
  const outcomes = await reserve(at, [wanted, held])
  assert.ok(performance.now() - sinceMs < PATIENCE_MS)
  assert.deepEqual(outcomesOf(outcomes), ['reserved', 'reserved'])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 5 })
  lossy.thaw()
  await whileAdvancing(at.clock, frozen)
  assert.deepEqual(await reserve(at, [held, wanted], freezing), outcomes.toReversed())
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 5 })
})

test('rules 8, 15: a replica that freezes as it releases gives back once, whoever does it', async () => {
  const id = await createProduct(at, { stock: 10 })
  const [held, other] = [newOrder(id, 3), newOrder(id, 2)]
  await reserve(at, [held, other])
  lossy.lose('frozen')
  const frozen = release(at, [held], freezing)
  await lossy.frozen(frozen)
  const sinceMs = performance.now()
  assert.deepEqual(outcomesOf(await release(at, [other, held])), ['released', 'released'])
  assert.ok(performance.now() - sinceMs < PATIENCE_MS)
  lossy.thaw()
  await whileAdvancing(at.clock, frozen)
  assert.deepEqual(outcomesOf(await release(at, [held], freezing)), ['released'])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 })
})

test('rule 17: one key at two replicas at once makes one product, moves stock once, and both tell the same', async () => {
  const apps = [at.app, at.openIdle()]
  const twice = (path: string, body: object, key: string) =>
    Promise.all(apps.map((app) => whileAdvancing(at.clock, call(at, path, { body, key, app }))))
  const made = await twice('/products', aDesk({ name: 'Once' }), 'both-make')
  assert.deepEqual(
    made.map(({ status }) => status),
    [201, 201],
  )
  assert.deepEqual(made[0]?.body, made[1]?.body)
  const id = String(made[0]?.body['id'])
  const moved = await twice(`/products/${id}/stock`, { quantity: 5 }, 'both-move')
  assert.deepEqual(moved[0]?.body, moved[1]?.body)
  assert.deepEqual(await levelsOf(at, id), { stocked: 15, reserved: 0 })
})

test('rule 16: what only PostgreSQL refuses in one of 200 orders fails alone, in few transactions', async () => {
  const id = await createProduct(at, { stock: 1_000 })
  const items = Array.from({ length: 200 }, () => newOrder(id))
  const bad = items[77]?.order_id
  let transactions = 0
  const { db } = at.database
  const counting = at.openIdle({
    db: {
      ...db,
      transaction(work) {
        transactions += 1
        return db.transaction(work)
      },
    },
  })
  await db.query(`alter table reservations add constraint refused check (order_id <> '${bad}')`)
  const outcomes = await reserve(at, items, counting)
  assert.deepEqual(
    outcomes.filter(({ outcome }) => outcome !== 'reserved').map((each) => each.order_id),
    [bad],
  )
  assert.deepEqual(await levelsOf(at, id), { stocked: 1_000, reserved: 199 })
  assert.ok(transactions <= 2 * Math.ceil(Math.log2(200)) + 1, `${transactions} transactions`)
  // Asked again, all but that one have their answers.
  await db.query('alter table reservations drop constraint refused')
  assert.deepEqual(new Set(outcomesOf(await reserve(at, items))), new Set(['reserved']))
  assert.deepEqual(await levelsOf(at, id), { stocked: 1_000, reserved: 200 })

  await db.query(
    `alter table reservations add constraint refused check (order_id <> '${bad}' or state <> 'released')`,
  )
  transactions = 0
  const undone = await release(at, items, counting)
  assert.equal(undone.filter(({ outcome }) => outcome === 'released').length, 199)
  assert.ok(transactions <= 2 * Math.ceil(Math.log2(200)) + 1, `${transactions} transactions`)
  assert.deepEqual(await levelsOf(at, id), { stocked: 1_000, reserved: 1 })
  await db.query('alter table reservations drop constraint refused')
})
