import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import {
  advanceUntil,
  createTestClock,
  createTestDatabase,
  createTestWorld,
  whileAdvancing,
  type TestClock,
  type TestDatabase,
} from '@quartet/kit/testing'
import type { World } from '@quartet/kit/world'
import { placeOrders, postponeOrders } from '../actions.ts'
import { ordersService } from '../app.ts'
import { readConfig, type Config } from '../config.ts'
import type { Order } from '../domain.ts'
import { testEnvironment } from '../testing/environment.ts'
import { anOrder } from '../testing/orders.ts'
import type { Lease } from '../store/open-orders.ts'
import { createRecovery } from './recovery.ts'

let database: TestDatabase
let world: World<Config>
let clock: TestClock
before(async () => {
  database = await createTestDatabase(ordersService)
  clock = createTestClock()
  world = createTestWorld({ config: readConfig(await testEnvironment()), db: database.db, clock })
})
afterEach(() => database.db.query('delete from open_orders'))
after(() => database.drop())

const never = new Promise<never>(() => {})
const pass = (ms: number) => whileAdvancing(clock, clock.timers.sleep(ms))

/** Orders that were placed by a replica that died at once. */
const orphans = (...ids: string[]) =>
  placeOrders(
    world,
    ids.map((id) => anOrder({ id })),
  )

test('rule 12: an order is left to whoever drives it until the lease is over, then driven by another', async () => {
  await orphans('ord_lease')
  const driven: [string, number][] = []
  const placedMs = clock.now()
  const drive =
    (name: string) =>
    (order: Order, { attempts }: Lease) => {
      driven.push([`${name} ${order.id} ${attempts}`, clock.now() - placedMs])
      return never // it dies with the order in hand
    }
  const first = createRecovery(world, drive('first'))
  first.start()
  await pass(9_000)
  assert.deepEqual(driven, [])
  await pass(2_500)
  assert.deepEqual(driven[0]?.[0], 'first ord_lease 1')
  const second = createRecovery(world, drive('second'))
  second.start()
  await pass(8_000)
  assert.equal(driven.length, 1)
  await pass(4_500)
  assert.equal(driven.length, 2, 'once more, by either')
  void first.stop()
  void second.stop()
})

test('an order whose drive fails for ever is tried again and again, and hinders no other', async () => {
  await orphans('ord_broken', 'ord_sound')
  const tried: string[] = []
  const recovery = createRecovery(world, (order) => {
    tried.push(order.id)
    if (order.id === 'ord_broken') return Promise.reject(new Error('it can never be driven'))
    return Promise.resolve(order)
  })
  recovery.start()
  await pass(36_000)
  await whileAdvancing(clock, recovery.stop())
  const timesOf = (id: string) => tried.filter((each) => each === id).length
  assert.equal(timesOf('ord_broken'), 3)
  assert.equal(timesOf('ord_sound'), 3, 'nobody closes it in this test')
})

test('rule 13: recovery has so many orders in hand, and few while a neighbour is down', async () => {
  await orphans(...Array.from({ length: 600 }, (_, n) => `ord_many_${n}`))
  let inHand = 0
  let isDown = true
  const gate = Promise.withResolvers<void>()
  const drive = async (order: Order) => {
    inHand += 1
    await gate.promise
    return order
  }
  const recovery = createRecovery(world, drive, () => isDown)
  recovery.start()
  await pass(12_000)
  assert.equal(inHand, 50)
  isDown = false
  await pass(1_000)
  assert.equal(inHand, 500)
  gate.resolve()
  await pass(1_000)
  assert.equal(inHand, 600)
  await whileAdvancing(clock, recovery.stop())
})

test('an order whose drive has put it off is driven when its time comes, however seldom recovery looks', async () => {
  await orphans('ord_put_off')
  await clock.advance(10_000) // its lease is over
  const begun = Promise.withResolvers<void>()
  const surveyed = Promise.withResolvers<void>()
  const putOff = Promise.withResolvers<number>()
  const again = Promise.withResolvers<number>()
  const recovery = createRecovery(world, async (order, lease) => {
    if (lease.attempts > 1) {
      again.resolve(clock.now())
      return order
    }
    begun.resolve()
    await surveyed.promise
    const driveAt = new Date(clock.now() + 1_000)
    await postponeOrders(world, [{ order, driveAt, lease }])
    putOff.resolve(driveAt.getTime())
    return order
  })
  recovery.start()
  await advanceUntil(clock, begun.promise)
  // Its round found nothing due before the lease is over; what the drive then does it has not seen.
  while (recovery.openOrders() === 0) await new Promise((resolve) => setImmediate(resolve))
  surveyed.resolve()
  const dueMs = await putOff.promise
  assert.equal(await advanceUntil(clock, again.promise), dueMs)
  await recovery.stop()
})

test('a stop waits for the drives in hand', async () => {
  await orphans('ord_in_hand')
  const driving = Promise.withResolvers<Order>()
  const begun = Promise.withResolvers<void>()
  const recovery = createRecovery(world, () => {
    begun.resolve()
    return driving.promise
  })
  recovery.start()
  await pass(11_500)
  await begun.promise
  let hasStopped = false
  const stopped = recovery.stop().then(() => (hasStopped = true))
  await pass(1_000)
  assert.equal(hasStopped, false)
  driving.resolve(anOrder({ id: 'ord_in_hand' }))
  await stopped
})
