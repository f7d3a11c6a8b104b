/** Proves what products does with the events of orders, in the transaction that a subscription gives it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTestWorld } from '@quartet/kit/testing'
import { ordersSubscription } from './events.ts'
import {
  createProduct,
  createTestProducts,
  levelsOf,
  release,
  reserve,
  type TestProducts,
} from './testing/shop.ts'

let at: TestProducts
before(async () => {
  at = await createTestProducts()
})
after(() => at.close())

let orders = 0
const newOrder = (productId: string, quantity: number) => {
  orders += 1
  const lines = [{ product_id: productId, quantity }]
  return { order_id: `ord_${orders}`, owner_id: 'usr_1', lines }
}

/** Tells products that these orders are confirmed. */
async function confirm(...orderIds: string[]): Promise<void> {
  const { db } = at.database
  const world = createTestWorld({ config: {}, db, clock: at.clock })
  const { apply } = ordersSubscription(world, 'http://orders.test', () => Promise.resolve(''))
  const events = orderIds.map((id, index) => ({
    sequence: index + 1,
    id: `evt_${index}`,
    type: 'order.confirmed.v1',
    subject: id,
    time: new Date(at.clock.now()),
    data: { order_id: id, owner_id: 'usr_1', more: 'than is read' },
  }))
  await db.transaction((tx) => apply(tx, events))
}

test('rule 11: the sale of a confirmed order takes its reserved units out of the stock, once', async () => {
  const id = await createProduct(at, { stock: 10 })
  const items = [newOrder(id, 3), newOrder(id, 2)]
  await reserve(at, items)
  await confirm(...items.map(({ order_id }) => order_id))
  assert.deepEqual(await levelsOf(at, id), { stocked: 5, reserved: 0 })
  await confirm(...items.map(({ order_id }) => order_id))
  assert.deepEqual(await levelsOf(at, id), { stocked: 5, reserved: 0 })
})

test('rule 11: an order that is undone after its sale gets its units back into the stock', async () => {
  const id = await createProduct(at, { stock: 10 })
  const item = newOrder(id, 4)
  await reserve(at, [item])
  await confirm(item.order_id)
  await release(at, [item])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 })
  await confirm(item.order_id) // late: it changes nothing
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 })
})

test('rule 11: of an order that was released, refused or never reserved nothing is sold', async () => {
  const id = await createProduct(at, { stock: 1 })
  const released = newOrder(id, 1)
  await reserve(at, [released])
  await release(at, [released])
  const refused = newOrder(id, 5)
  await reserve(at, [refused])
  await confirm(released.order_id, refused.order_id, 'ord_unknown')
  assert.deepEqual(await levelsOf(at, id), { stocked: 1, reserved: 0 })
})
