/** Proves what two replicas of orders do to each other: nothing, whether one is frozen, dead or asked the same. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createLossyDatabase, type LossyDatabase } from '@quartet/kit/testing/lossy-postgres'
import type { World } from '@quartet/kit/world'
import { createTestNetwork, createTestWorld, whileAdvancing } from '@quartet/kit/testing'
import { settleItems } from '@quartet/kit/batch'
import { placeOrders, readOrders, settleOrders, type Settlement } from './actions.ts'
import { moveTo, type Order } from './domain.ts'
import { anOrder } from './testing/orders.ts'
import { anOrderBody, call, createTestShop, type TestShop } from './testing/shop.ts'

let shop: TestShop
let lossy: LossyDatabase
let world: World<{ LEASE_MS: number }>
before(async () => {
  shop = await createTestShop({ LEASE_MS: '20000', PEER_TIMEOUT_MS: '60000' })
  lossy = await createLossyDatabase(shop.database)
  world = worldOn(shop.database.db)
})
after(async () => {
  await shop.close()
  await lossy.close()
})

const worldOn = (db: World<unknown>['db']) =>
  createTestWorld({ config: { LEASE_MS: 10_000 }, db, clock: shop.clock })

const kindsOf = (outcomes: { kind: string }[]) => outcomes.map(({ kind }) => kind)

async function saidOf(id: string): Promise<string[]> {
  const rows = await shop.database.db.query<{ type: string }>(
    `select type from outbox where subject = $1 union all select type from events where subject = $1`,
    [id],
  )
  return rows.map(({ type }) => type.split('.')[1] ?? '').toSorted()
}

const manyOrders = (name: string, count: number) =>
  Array.from({ length: count }, (_, n) => {
    const id = `${name}_${String(n).padStart(3, '0')}`
    return anOrder({ id, idempotencyKey: id })
  })

// Of the way back: it needs nothing of the order but its id.
const canceling = (order: Order): Settlement => ({
  order: moveTo(order, 'canceling', { cancelReason: 'requested_by_customer' }),
  from: 'pending',
  driveAt: new Date(shop.clock.now() + 60_000),
})

test('rule 17: one key at two replicas at once makes one order and one charge, and both tell the same', async () => {
  const replicas = [shop.app, await shop.open()]
  for (const round of [1, 2, 3]) {
    const key = `both-${round}`
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        call(shop, '/orders', { body: anOrderBody(), key, app: replicas[n % 2] ?? shop.app }),
      ),
    )
    const [first] = answers
    for (const { status, body } of answers) {
      assert.equal(status, 201)
      assert.deepEqual(body, first?.body)
    }
    const id = first?.body['id']
    assert.equal(shop.payments.charges.filter(({ order_id }) => order_id === id).length, 1)
    assert.deepEqual(await saidOf(String(id)), ['confirmed', 'placed'])
  }
})

test('rule 17: a key whose replica dies with the order in hand is answered by the other, after the lease', async () => {
  // It places and drives no further: its neighbours never answer it.
  const users = createTestNetwork({ 'http://users.test': shop.issuer.fetch })
  const dying = shop.openIdle({
    fetch: (url, init) => (url.includes('users') ? users(url, init) : new Promise(() => {})),
  })
  const order = { body: anOrderBody({ id: 'ord_dying' }), key: 'dying' }
  const accepted = await call(shop, '/orders', { ...order, app: dying })
  assert.deepEqual([accepted.status, accepted.body['status']], [202, 'pending'])
  const early = await call(shop, '/orders', order)
  assert.deepEqual([early.status, early.body['status']], [202, 'pending'], 'the lease holds')
  await shop.clock.advance(20_000)
  const answer = await call(shop, '/orders', order)
  assert.deepEqual([answer.status, answer.body['status']], [201, 'confirmed'])
  assert.deepEqual(
    shop.payments.charges.filter(({ order_id }) => order_id === 'ord_dying').length,
    1,
  )
  assert.deepEqual(await saidOf('ord_dying'), ['confirmed', 'placed'])
})

test('rule 15: a replica that freezes as it places holds its keys for 2 s, and does no harm when it wakes', async () => {
  const [shared, other] = [anOrder({ id: 'frz_shared' }), anOrder({ id: 'frz_other' })]
  lossy.lose('frozen')
  const frozen = settleItems((orders) => placeOrders(worldOn(lossy.db), orders), [shared])
  await lossy.frozen(frozen)
  const sinceMs = performance.now()
  assert.deepEqual(kindsOf(await placeOrders(world, [other, shared])), ['placed', 'placed'])
  assert.ok(performance.now() - sinceMs < 8_000)
  lossy.thaw()
  const [outcome] = await frozen
  assert.equal(outcome?.status, 'rejected', 'its transaction was ended: the outcome is unknown')
  const again = await placeOrders(worldOn(lossy.db), [shared])
  assert.deepEqual(kindsOf(again), ['repeated'])
  assert.deepEqual(await saidOf('frz_shared'), ['placed'])
})

test('rules 6, 15: a replica that freezes as it settles holds the order for 2 s; whoever settles then has won', async () => {
  const order = anOrder({ id: 'frz_settle' })
  await placeOrders(world, [order])
  lossy.lose('frozen')
  const canceled = moveTo(order, 'canceled', { cancelReason: 'insufficient_stock' })
  const late = { order: canceled, from: 'pending', driveAt: order.createdAt } as const
  const frozen = settleItems(
    (writes: Settlement[]) => settleOrders(worldOn(lossy.db), writes),
    [late],
  )
  await lossy.frozen(frozen)
  const sinceMs = performance.now()
  const [won] = await settleOrders(world, [canceling(order)])
  assert.ok(performance.now() - sinceMs < 8_000)
  assert.equal(won?.status, 'canceling')
  lossy.thaw()
  assert.equal((await frozen)[0]?.status, 'rejected')
  assert.deepEqual(await settleOrders(worldOn(lossy.db), [late]), [undefined])
  assert.equal((await readOrders(world, ['frz_settle']))[0]?.status, 'canceling')
  assert.deepEqual(await saidOf('frz_settle'), ['placed'])
})

async function deadlocks(): Promise<number> {
  const [row] = await shop.database.db.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return Number(row?.deadlocks)
}

test('rule 15: the same orders placed and settled in opposite orders by two replicas never deadlock', async () => {
  const other = worldOn(shop.database.db)
  const deadlocksBefore = await deadlocks()
  for (let round = 0; round < 5; round += 1) {
    const orders = manyOrders(`opp${round}`, 300)
    const placed = await Promise.all([
      placeOrders(world, orders),
      placeOrders(other, orders.toReversed()),
    ])
    assert.equal(kindsOf(placed.flat()).filter((kind) => kind === 'placed').length, 300)
    const writes = orders.map(canceling)
    const settled = await Promise.all([
      settleOrders(world, writes),
      settleOrders(other, writes.toReversed()),
    ])
    assert.equal(settled.flat().filter((each) => each !== undefined).length, 300)
  }
  assert.equal(await deadlocks(), deadlocksBefore)
})

// Counts the transactions of what `run` does with a batch.
async function bisected<Item, Outcome>(
  items: Item[],
  run: (counting: typeof world, some: Item[]) => Promise<Outcome[]>,
) {
  let transactions = 0
  const { db } = shop.database
  const counting = worldOn({
    ...db,
    transaction(work) {
      transactions += 1
      return db.transaction(work)
    },
  })
  const results = await settleItems((some) => run(counting, some), items)
  assert.ok(transactions <= 2 * Math.ceil(Math.log2(200)) + 1, `${transactions} transactions`)
  return results.map(({ status }) => status)
}

test('rule 16: what only PostgreSQL refuses in one of 200 orders fails alone, placed or settled', async () => {
  const { db } = shop.database
  const orders = manyOrders('bad', 200)
  const bad = 'bad_111'
  await db.query(
    `alter table orders add constraint refused check (id <> '${bad}' or status <> 'pending')`,
  )
  const placed = await bisected(orders, placeOrders)
  assert.deepEqual(placed.indexOf('rejected'), 111)
  assert.equal(placed.filter((status) => status === 'rejected').length, 1)
  await db.query('alter table orders drop constraint refused')
  const again = kindsOf(await placeOrders(world, orders))
  assert.equal(again.filter((kind) => kind === 'repeated').length, 199)
  assert.equal(again[111], 'placed')

  await db.query(
    `alter table orders add constraint refused check (id <> '${bad}' or status <> 'canceling')`,
  )
  const settled = await bisected(orders.map(canceling), settleOrders)
  assert.equal(settled.indexOf('rejected'), 111)
  assert.equal(settled.filter((status) => status === 'rejected').length, 1)
  await db.query('alter table orders drop constraint refused')
  const [stored] = await readOrders(world, [bad])
  assert.equal(stored?.status, 'pending')
  const said = await db.query<{ subject: string; count: number }>(
    `select subject, count(*) as count from (select subject from outbox union all select subject from events) said
     where starts_with(subject, 'bad_') group by subject having count(*) <> 1`,
  )
  assert.deepEqual(said, [], 'each was placed once')
})

test('rule 12: two replicas that recover 300 orders of a dead one complete each once', async () => {
  const orders = manyOrders('dead', 300)
  await placeOrders(world, orders)
  await shop.open()
  const ids = orders.map(({ id }) => id)
  const isDone = async () =>
    (await readOrders(world, ids)).every((order) => order?.status === 'confirmed')
  for (let tries = 0; tries < 40 && !(await isDone()); tries += 1) {
    await whileAdvancing(shop.clock, shop.clock.timers.sleep(1_000))
  }
  assert.ok(await isDone())
  const charged = shop.payments.charges.filter(({ order_id }) => ids.includes(order_id))
  assert.equal(charged.length, 300)
  const said = await shop.database.db.query<{ count: number }>(
    `select count(*) as count from (select subject, type from outbox union all select subject, type from events) said
     where subject = any($1)`,
    [ids],
  )
  assert.equal(said[0]?.count, 600)
})
