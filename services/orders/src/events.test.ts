/** Proves what orders does with the events of payments, in the transaction that a subscription gives it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTestDatabase, createTestWorld, type TestDatabase } from '@quartet/kit/testing'
import type { World } from '@quartet/kit/world'
import { placeOrders } from './actions.ts'
import { ordersService } from './app.ts'
import type { Order } from './domain.ts'
import { paymentsSubscription } from './events.ts'
import { anOrder } from './testing/orders.ts'

let database: TestDatabase
let world: World<{ LEASE_MS: number }>
before(async () => {
  database = await createTestDatabase(ordersService)
  world = createTestWorld({ config: { LEASE_MS: 10_000 }, db: database.db })
})
after(() => database.drop())

async function tell(...orderIds: (string | null)[]): Promise<number> {
  let woken = 0
  const { apply, applied } = paymentsSubscription(world, {
    baseUrl: 'http://payments.test',
    token: () => Promise.resolve(''),
    wake: () => (woken += 1),
  })
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
