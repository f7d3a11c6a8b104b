/** Proves that products publishes what its examples say, and what it does with the events of others, in the transaction of a subscription. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createErasure } from '@quartet/kit/erasure'
import { createTestWorld } from '@quartet/kit/testing'
import {
  assertErasedByExamples,
  assertPublishedAsExamples,
  toldByExamples,
} from '@quartet/kit/testing/event-examples'
import type { Product } from './domain.ts'
import { ordersSubscription, productChanged, stockDepleted, usersSubscription } from './events.ts'
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

const token = () => Promise.resolve('')
const newWorld = () => createTestWorld({ config: {}, db: at.database.db, clock: at.clock })
const readsOrders = () => ordersSubscription(newWorld(), 'http://orders.test', token)

/** Tells products that these orders are confirmed. */
async function confirm(...orderIds: string[]): Promise<void> {
  const { db } = at.database
  const { apply } = readsOrders()
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

test('rule 21: what is published is what the examples say', () => {
  const now = new Date(at.clock.now())
  const desk: Product = {
    id: 'prd_desk',
    name: 'Desk',
    description: 'A desk.',
    category: 'Furniture',
    priceAmount: 1_000,
    priceCurrency: 'USD',
    status: 'active',
    version: 1,
    createdAt: now,
    updatedAt: now,
  }
  assertPublishedAsExamples(
    { source: '/products', folder: new URL('../events/', import.meta.url) },
    [
      productChanged('created', desk),
      productChanged('updated', desk),
      productChanged('archived', { ...desk, status: 'archived' }),
      stockDepleted('prd_desk'),
    ],
  )
})

test('rule 11: the examples of orders, also with fields that are new, turn reservations into sales', async () => {
  const { db } = at.database
  for (const events of await toldByExamples(readsOrders())) {
    const id = await createProduct(at, { stock: 10 })
    for (const event of events) {
      const item = { order_id: event.subject, owner_id: 'usr_1' }
      await reserve(at, [{ ...item, lines: [{ product_id: id, quantity: 1 }] }])
      await db.transaction((tx) => readsOrders().apply(tx, [event]))
      await db.query('delete from reservations where order_id = $1', [event.subject])
    }
    assert.deepEqual(await levelsOf(at, id), { stocked: 10 - events.length, reserved: 0 })
  }
})

test('rule 22: the examples of users, also with fields that are new, say who is erased', async () => {
  const subscription = usersSubscription(createErasure(newWorld()), 'http://users.test', token)
  await assertErasedByExamples(at.database.db, subscription)
})
