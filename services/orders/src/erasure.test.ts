/** Proves what becomes of an owner who is erased: nothing is taken any more, what is owed is delivered, the person is forgotten. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createErasure } from '@quartet/kit/erasure'
import type { Transaction } from '@quartet/kit/postgres'
import { createTestWorld, whileHeld } from '@quartet/kit/testing'
import type { World } from '@quartet/kit/world'
import { placeOrders, readOrders, settleOrders, type Settlement } from './actions.ts'
import { moveTo, type Order } from './domain.ts'
import { usersSubscription } from './events.ts'
import { forgetOrders } from './store/erased-owners.ts'
import { anOrder } from './testing/orders.ts'
import { anOrderBody, call, createTestShop, type TestShop } from './testing/shop.ts'

const address = {
  name: 'Ada Lovelace',
  line1: '12 St James’s Square',
  city: 'London',
  postal_code: 'SW1Y 4JH',
  country: 'GB',
}

let shop: TestShop
let world: World<{ LEASE_MS: number }>
before(async () => {
  shop = await createTestShop()
  const { db } = shop.database
  world = createTestWorld({ config: { LEASE_MS: 10_000 }, db, clock: shop.clock })
})
after(() => shop.close())

const within = (tx: Transaction): typeof world => ({
  ...world,
  db: { ...world.db, transaction: (work) => work(tx) },
})

/** Applies what users says of an erasure, as the subscription does, without the work that follows. */
function applyErasure(tx: Transaction, userId: string): Promise<void> {
  const { apply } = usersSubscription(createErasure(world), '', () => Promise.resolve(''))
  const time = new Date(shop.clock.now())
  const data = { user_id: userId, role: 'customer' }
  const event = { sequence: 1, id: 'evt_1', type: 'user.erased.v1', subject: userId, time, data }
  return apply(tx, [event])
}

const erase = (userId: string) => world.db.transaction((tx) => applyErasure(tx, userId))

const forget = (userId: string) => world.db.transaction((tx) => forgetOrders(tx, userId, 0))

const owned = (ownerId: string, changes: Partial<Order> = {}) =>
  anOrder({
    id: `ord_of_${ownerId}`,
    ownerId,
    idempotencyKey: `key of ${ownerId}`,
    shippingAddress: address,
    ...changes,
  })

const ending = (order: Order): Settlement => ({
  order: moveTo(order, 'canceled', { cancelReason: 'insufficient_stock' }),
  from: 'pending',
  driveAt: new Date(shop.clock.now()),
})

async function stored(id: string): Promise<Order> {
  const [order] = await readOrders(world, [id])
  assert.ok(order)
  return order
}

/** What of the person an order still holds. */
async function heldBy(id: string): Promise<string[]> {
  const order = await stored(id)
  const names = ['shippingAddress', 'paymentMethod', 'idempotencyKey', 'requestHash'] as const
  return names.filter((name) => order[name] !== null && order[name] !== '')
}

const kindsOf = (outcomes: { kind: string }[]) => outcomes.map(({ kind }) => kind)

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries += 1) {
    assert.ok(tries < 100, 'not within 10 s of the clock')
    await shop.meanwhile(shop.clock.timers.sleep(100))
  }
}

test('rule 22: an erased owner gets 401, also where a replica has not heard of it, and for what was placed before', async () => {
  const as = await shop.issuer.user('usr_gone')
  const order = { body: anOrderBody({ id: 'ord_before' }), key: 'before', as }
  assert.equal((await call(shop, '/orders', order)).status, 201)
  const unheard = shop.openIdle() // it follows nothing
  shop.users.say({
    type: 'user.erased.v1',
    subject: 'usr_gone',
    data: { user_id: 'usr_gone', role: 'customer' },
  })
  await until(async () => (await call(shop, '/orders', { as })).status === 401)
  for (const app of [shop.app, unheard]) {
    for (const changes of [{ id: 'ord_after' }, { id: 'ord_before' }]) {
      const again = { body: anOrderBody(changes), key: changes.id, as, app }
      const { status, body } = await call(shop, '/orders', again)
      assert.deepEqual([status, body['code']], [401, 'account_erased'])
    }
  }
  for (const path of ['/orders/ord_before', '/orders']) {
    assert.equal((await call(shop, path, { as })).status, 401)
  }
  assert.deepEqual(await readOrders(world, ['ord_after']), [undefined])
  assert.equal((await call(shop, '/orders')).status, 200, 'others go on')
})

test('rule 22: a placement under way while the erasure is recorded waits for it, and is refused', async () => {
  const gone = owned('usr_under_way')
  const stays = owned('usr_stays')
  const outcomes = await whileHeld(
    world.db,
    async (tx) => {
      await applyErasure(tx, 'usr_under_way')
      await tx.query('select 1')
    },
    { work: () => placeOrders(world, [gone, stays]), look: () => Promise.resolve() },
  )
  assert.deepEqual(kindsOf(outcomes), ['owner_erased', 'placed'])
  assert.deepEqual(await readOrders(world, [gone.id]), [undefined])
})

test('rule 22: an erasure waits for a placement that was faster, and finds its order', async () => {
  const order = owned('usr_faster')
  await whileHeld(world.db, (tx) => placeOrders(within(tx), [order]), {
    work: () => erase('usr_faster'),
    look: () => Promise.resolve(),
  })
  await forget('usr_faster')
  assert.deepEqual(await heldBy(order.id), ['shippingAddress', 'paymentMethod'])
})

test('rule 22: an order that ends while its owner is being forgotten is forgotten, whoever is faster', async () => {
  for (const first of ['end', 'forget'] as const) {
    const order = owned(`usr_${first}`)
    await placeOrders(world, [order])
    const end = (to = world) => settleOrders(to, [ending(order)])
    if (first === 'end') {
      await whileHeld(world.db, (tx) => end(within(tx)), {
        work: () => erase(order.ownerId).then(() => forget(order.ownerId)),
        look: () => Promise.resolve(),
      })
    } else {
      await erase(order.ownerId)
      await whileHeld(world.db, (tx) => forgetOrders(tx, order.ownerId, 0), {
        work: end,
        look: () => Promise.resolve(),
      })
    }
    assert.deepEqual([(await stored(order.id)).status, await heldBy(order.id)], ['canceled', []])
  }
})

test('what is still to be delivered keeps its address until it is fulfilled or canceled', async () => {
  const as = await shop.issuer.user('usr_owed')
  const admin = await shop.issuer.user('usr_admin', 'admin')
  const ids = ['ord_ended', 'ord_fulfilled', 'ord_undone']
  for (const id of ids) {
    const body = anOrderBody({ id, shipping_address: address })
    assert.equal((await call(shop, '/orders', { body, key: id, as })).status, 201)
  }
  const move = (id: string, verb: string) =>
    call(shop, `/orders/${id}/${verb}`, { method: 'POST', as: admin })
  assert.deepEqual((await move('ord_ended', 'cancel')).body['shipping_address'], address)

  shop.users.say({
    type: 'user.erased.v1',
    subject: 'usr_owed',
    data: { user_id: 'usr_owed', role: 'customer' },
  })
  await until(async () => (await heldBy('ord_ended')).length === 0)
  for (const id of ['ord_fulfilled', 'ord_undone']) {
    assert.deepEqual(await heldBy(id), ['shippingAddress', 'paymentMethod'])
    const { body } = await call(shop, `/orders/${id}`, { as: admin })
    assert.deepEqual(body['shipping_address'], address)
  }
  const ends = { ord_fulfilled: 'fulfill', ord_undone: 'cancel' }
  for (const [id, verb] of Object.entries(ends)) {
    const { status, body } = await move(id, verb)
    assert.deepEqual([status, body['shipping_address'], body['payment_method']], [200, null, null])
    assert.deepEqual((await call(shop, `/orders/${id}`, { as: admin })).body, body)
    assert.deepEqual(await heldBy(id), [])
    assert.equal((await stored(id)).totals?.total, 1_000, 'the money’s history stays')
  }
})

test('an order that was accepted is a promise: it is paid and confirmed though its owner is erased', async () => {
  const as = await shop.issuer.user('usr_promised')
  shop.down.add('payments.test')
  const body = anOrderBody({ id: 'ord_promised', shipping_address: address })
  assert.equal((await call(shop, '/orders', { body, as })).status, 202)
  await erase('usr_promised')
  await forget('usr_promised')
  shop.down.delete('payments.test')
  await until(async () => (await stored('ord_promised')).status === 'confirmed')
  assert.deepEqual((await stored('ord_promised')).shippingAddress, address)
})

test('who has kept an address of somebody who lives keeps it: others’ orders end as they did', async () => {
  const order = owned('usr_lives', { paymentMethod: 'pm_card_visa' })
  await placeOrders(world, [order])
  const [ended] = await settleOrders(world, [ending(order)])
  assert.deepEqual(ended, await stored(order.id))
  assert.deepEqual(ended?.shippingAddress, address)
  await erase('usr_other')
  await forget('usr_other')
  assert.equal((await heldBy(order.id)).length, 4)
})

test('many orders of one owner are forgotten in bounded steps, to the last', async () => {
  await world.db.query(
    `insert into orders (id, owner_id, idempotency_key, request_hash, lines, capture_method,
       pricing_version, shipping_address, expires_at, created_at, status, payment_status,
       fulfillment_status, cancel_reason, updated_at)
     select 'ord_many_' || n, 'usr_many', 'key_' || n, 'hash', '[]', 'automatic', 1, '{}', $1, $1,
       'canceled', 'canceled', 'canceled', 'conflict', $1 from generate_series(1, 1001) as n`,
    [new Date(shop.clock.now())],
  )
  const left = async () => {
    const rows = await world.db.query(
      `select from orders where owner_id = 'usr_many' and (shipping_address is not null
         or idempotency_key is not null or request_hash <> '')`,
    )
    return rows.length
  }
  const counts: number[] = []
  for (let progress: number | undefined = 0; progress !== undefined;) {
    const from: number = progress
    progress = await world.db.transaction((tx) => forgetOrders(tx, 'usr_many', from))
    counts.push(await left())
  }
  assert.deepEqual(counts, [501, 1, 0])
})

test('rule 15: forgetting locks orders in the order of their ids, as drives do', async () => {
  const orders = ['ord_zz', 'ord_aa'].map((id) => owned('usr_locks', { id, idempotencyKey: id }))
  for (const order of orders) await placeOrders(world, [order])
  const lock = 'select id from orders where id = $1 for update skip locked'
  await whileHeld(world.db, (tx) => tx.query(lock, ['ord_aa']), {
    work: () => forget('usr_locks'),
    look: async () => assert.equal((await world.db.query(lock, ['ord_zz'])).length, 1),
  })
})
