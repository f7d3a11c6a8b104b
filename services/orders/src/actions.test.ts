import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTestDatabase, createTestWorld, type TestDatabase } from '@quartet/kit/testing'
import type { World } from '@quartet/kit/world'
import { placeOrders, postponeOrders, readOrders, settleOrders } from './actions.ts'
import { ordersService } from './app.ts'
import { moveTo } from './domain.ts'
import { anOrder } from './testing/orders.ts'

let database: TestDatabase
let world: World<{ LEASE_MS: number }>
before(async () => {
  database = await createTestDatabase(ordersService)
  world = createTestWorld({ config: { LEASE_MS: 10_000 }, db: database.db })
})
after(() => database.drop())

const kindsOf = (outcomes: { kind: string }[]) => outcomes.map(({ kind }) => kind)

test('rules 2, 16: two customers who choose one id in one batch: one gets the order, the other nothing of it', async () => {
  const late = anOrder({ id: 'ord_both', ownerId: 'usr_z', requestHash: 'z' })
  const early = anOrder({ id: 'ord_both', ownerId: 'usr_a', requestHash: 'a' })
  const outcomes = await placeOrders(world, [late, early])
  const [stored] = await readOrders(world, ['ord_both'])
  const expected = [late, early].map(({ ownerId }) =>
    ownerId === stored?.ownerId ? 'placed' : 'id_taken',
  )
  assert.deepEqual(kindsOf(outcomes), expected)
})

test('rule 17: one customer, one id, two keys in one batch: whoever is told so has placed the order', async () => {
  const second = anOrder({ id: 'ord_keys', idempotencyKey: 'key-2', requestHash: '2' })
  const first = anOrder({ id: 'ord_keys', idempotencyKey: 'key-1', requestHash: '1' })
  const outcomes = await placeOrders(world, [second, first])
  const [stored] = await readOrders(world, ['ord_keys'])
  const expected = [second, first].map(({ idempotencyKey }) =>
    idempotencyKey === stored?.idempotencyKey ? 'placed' : 'id_taken',
  )
  assert.deepEqual(kindsOf(outcomes), expected)
})

test('rule 16: copies of one order in a batch: the first places it, the rest repeat it', async () => {
  const order = anOrder({ id: 'ord_copies' })
  const outcomes = await placeOrders(world, [order, { ...order }, { ...order }])
  assert.deepEqual(kindsOf(outcomes), ['placed', 'repeated', 'repeated'])
})

test('rule 6: a cancel that knows less than the row leaves what is known of its money', async () => {
  const order = anOrder({ id: 'ord_known' })
  await placeOrders(world, [order])
  const driveAt = new Date(world.clock.now())
  const totals = {
    currency: 'USD',
    subtotal: 1000,
    discount_total: 0,
    shipping_total: 0,
    tax_total: 0,
    total: 1000,
  }
  const learned = { ...order, paymentId: 'pay_1', totals, pricedLines: [] }
  await settleOrders(world, [{ order: learned, from: 'pending', driveAt }])
  const canceling = moveTo(order, 'canceling', { cancelReason: 'requested_by_customer' })
  const [written] = await settleOrders(world, [{ order: canceling, from: 'pending', driveAt }])
  const [stored] = await readOrders(world, ['ord_known'])
  assert.deepEqual([stored?.status, stored?.paymentId], ['canceling', 'pay_1'])
  assert.deepEqual(stored?.totals, totals)
  assert.deepEqual(written, stored)
})

test('rule 15: putting off waits for nobody: who holds the row says when it is driven next', async () => {
  const orders = ['ord_held', 'ord_free'].map((id) => anOrder({ id }))
  await placeOrders(world, orders)
  const driveAt = new Date(world.clock.now() + 60_000)
  await database.db.transaction(async (tx) => {
    await tx.query(`select from open_orders where order_id = 'ord_held' for update`)
    await postponeOrders(
      world,
      orders.map((order) => ({ order, driveAt })),
    )
  })
  const postponed = await database.db.query(
    `select order_id from open_orders where drive_at = $1`,
    [driveAt],
  )
  assert.deepEqual(postponed, [{ order_id: 'ord_free' }])
})
