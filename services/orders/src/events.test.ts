/** Proves that orders publishes what its examples say, and what it does with the events of others, in the transaction of a subscription. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createErasure } from '@quartet/kit/erasure'
import { createTestDatabase, createTestWorld, type TestDatabase } from '@quartet/kit/testing'
import {
  assertErasedByExamples,
  assertPublishedAsExamples,
  toldByExamples,
} from '@quartet/kit/testing/event-examples'
import type { World } from '@quartet/kit/world'
import { placeOrders, postponeOrders } from './actions.ts'
import { ordersService } from './app.ts'
import type { Order } from './domain.ts'
import {
  orderAsksCustomer,
  orderMoved,
  orderPlaced,
  paymentsSubscription,
  usersSubscription,
} from './events.ts'
import { claimDueOrders } from './store/open-orders.ts'
import { anOrder } from './testing/orders.ts'

let database: TestDatabase
let world: World<{ LEASE_MS: number }>
before(async () => {
  database = await createTestDatabase(ordersService)
  world = createTestWorld({ config: { LEASE_MS: 10_000 }, db: database.db })
})
after(() => database.drop())

const token = () => Promise.resolve('')
const readsPayments = (wake: () => void) =>
  paymentsSubscription(world, { baseUrl: 'http://payments.test', token, wake })

async function tell(...orderIds: (string | null)[]): Promise<number> {
  let woken = 0
  const { apply, applied } = readsPayments(() => (woken += 1))
  const events = orderIds.map((order_id, index) => ({
    sequence: index + 1,
    id: `evt_${index}`,
    type: 'payment.succeeded.v1',
    subject: `pay_${index}`,
    time: new Date(world.clock.now()),
    data: { order_id, payment_id: `pay_${index}` },
  }))
  await database.db.transaction((tx) => apply(tx, events))
  applied?.(events)
  return woken
}

test('rule 12: whoever drives an order as it is woken can no longer put it off, be its lease over or not', async () => {
  const driveAt = new Date(world.clock.now() + 1_800_000)
  for (const [id, heldForMs] of [
    ['ord_held', 10_000],
    ['ord_late', -1_000],
    ['ord_now', 0],
  ] as const) {
    await place({ id, paymentStatus: 'requires_action' })
    const until = new Date(world.clock.now() + heldForMs)
    const claim = { now: driveAt, leaseUntil: until, limit: 10 }
    const claimed = await database.db.transaction((tx) => claimDueOrders(tx, claim))
    const attempts = claimed.find(({ order_id }) => order_id === id)?.attempts ?? 0
    assert.equal(attempts, 1)
    const putOff = () =>
      postponeOrders(world, [{ order: { id }, driveAt, lease: { until, attempts } }])
    await tell(id)
    await putOff()
    assert.equal(await isDue(id), true, id)
    const [again] = await database.db.transaction((tx) => claimDueOrders(tx, claim))
    assert.equal(again?.attempts, 1, 'its back-off begins anew')
    await putOff()
    assert.equal(await isDue(id), false, 'nobody woke it since')
    await database.db.query('delete from open_orders')
  }
})

async function isDue(id: string): Promise<boolean> {
  const [row] = await database.db.query<{ drive_at: Date }>(
    'select drive_at from open_orders where order_id = $1',
    [id],
  )
  return row !== undefined && row.drive_at.getTime() <= world.clock.now()
}

const place = (...orders: Partial<Order>[]) => placeOrders(world, orders.map(anOrder))

test('an order that waits for its customer is driven as soon as its payment has something to say', async () => {
  await place({ id: 'ord_later', paymentStatus: 'requires_payment_method' })
  await place({ id: 'ord_3ds', paymentStatus: 'requires_action' })
  assert.equal(await isDue('ord_later'), false)
  assert.equal(await tell('ord_later', null, 'ord_3ds', 'ord_unknown'), 1)
  assert.deepEqual([await isDue('ord_later'), await isDue('ord_3ds')], [true, true])
})

test('one that is under way is left to whoever drives it', async () => {
  await place({ id: 'ord_driven', paymentStatus: 'processing' })
  await tell('ord_driven')
  assert.equal(await isDue('ord_driven'), false)
})

test('rule 21: what is published is what the examples say', () => {
  const line = { product_id: 'prd_desk', quantity: 1 }
  const order = anOrder({
    lines: [line],
    pricedLines: [{ ...line, name: 'Desk', unit_price: 1_000 }],
    totals: {
      currency: 'USD',
      subtotal: 1_000,
      discount_total: 0,
      shipping_total: 0,
      tax_total: 0,
      total: 1_000,
    },
    paymentId: 'pay_1',
    shippingAddress: { name: 'A', line1: 'B', city: 'C', postal_code: 'D', country: 'GB' },
  })
  assertPublishedAsExamples({ source: '/orders', folder: new URL('../events/', import.meta.url) }, [
    orderPlaced(order),
    orderAsksCustomer({ ...order, paymentStatus: 'requires_action' }),
    ...orderMoved({ ...order, status: 'confirmed' }),
    ...orderMoved({ ...order, status: 'completed' }),
    ...orderMoved({ ...order, status: 'canceled', cancelReason: 'payment_declined' }),
  ])
  assert.deepEqual(orderMoved({ ...order, status: 'canceling' }), [])
})

test('the examples of payments, also with fields that are new, wake the order that waits', async () => {
  const subscription = readsPayments(() => {})
  for (const events of await toldByExamples(subscription)) {
    const types = events.map(({ type }) => type)
    assert.deepEqual(types.toSorted(), [
      'payment.action_required.v1',
      'payment.authorized.v1',
      'payment.canceled.v1',
      'payment.failed.v1',
      'payment.succeeded.v1',
    ])
    for (const event of events) {
      const id = String(event.data['order_id'])
      await place({ id, paymentStatus: 'requires_payment_method' })
      assert.equal(await isDue(id), false)
      await database.db.transaction((tx) => subscription.apply(tx, [event]))
      assert.equal(await isDue(id), true, event.type)
      await database.db.query('delete from orders where id = $1', [id])
    }
  }
})

test('rule 22: the examples of users, also with fields that are new, say who is erased', async () => {
  const subscription = usersSubscription(createErasure(world), 'http://users.test', token)
  await assertErasedByExamples(database.db, subscription)
})
