import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  createTestDatabase,
  createTestWorld,
  whileHeld,
  type TestDatabase,
} from '@quartet/kit/testing'
import type { Transaction } from '@quartet/kit/postgres'
import type { World } from '@quartet/kit/world'
import {
  placeOrders,
  postponeOrders,
  readOrders,
  settleOrders,
  type PlaceOutcome,
  type Settlement,
} from './actions.ts'
import { ordersService } from './app.ts'
import { moveTo } from './domain.ts'
import { claimDueOrders } from './store/open-orders.ts'
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

test('rule 6: of two writes that leave one status the first stands; the other writes and says nothing', async () => {
  const order = anOrder({ id: 'ord_race' })
  await placeOrders(world, [order])
  const driveAt = new Date(world.clock.now())
  const confirmed = moveTo(order, 'confirmed', {
    confirmedAt: driveAt,
    paymentId: 'pay_1',
    totals: {
      currency: 'USD',
      subtotal: 1000,
      discount_total: 0,
      shipping_total: 0,
      tax_total: 0,
      total: 1000,
    },
  })
  const canceled = moveTo(order, 'canceled', { cancelReason: 'insufficient_stock' })
  const paused = {
    order: { ...order, paymentStatus: 'processing' },
    from: 'pending',
    driveAt,
  } as const
  const race = [paused, { order: confirmed, from: 'pending', driveAt } as const]
  for (const write of race) assert.ok((await settleOrders(world, [write]))[0], write.order.status)
  const lost = [{ order: canceled, from: 'pending', driveAt } as const, paused]
  for (const write of lost) assert.deepEqual(await settleOrders(world, [write]), [undefined])
  const [stored] = await readOrders(world, ['ord_race'])
  assert.deepEqual([stored?.status, stored?.paymentStatus], ['confirmed', 'processing'])
  assert.deepEqual(await saidOf('ord_race'), ['order.placed.v1', 'order.confirmed.v1'])
  assert.deepEqual(await openOrder('ord_race'), [])
})

test('rule 6: two writes of one order in one batch: the second has lost', async () => {
  const order = anOrder({ id: 'ord_twice' })
  await placeOrders(world, [order])
  const driveAt = new Date(world.clock.now())
  const back = moveTo(order, 'canceling', { cancelReason: 'requested_by_customer' })
  const ended = moveTo(order, 'canceled', { cancelReason: 'insufficient_stock' })
  const outcomes = await settleOrders(world, [
    { order: back, from: 'pending', driveAt },
    { order: ended, from: 'pending', driveAt },
  ])
  assert.deepEqual(
    outcomes.map((written) => written?.status),
    ['canceling', undefined],
  )
  assert.deepEqual(await openOrder('ord_twice'), [{ drive_at: driveAt }])
})

const saidOf = async (subject: string) => {
  const said = await database.db.query<{ type: string }>(
    'select type from outbox where subject = $1 order by position',
    [subject],
  )
  return said.map(({ type }) => type)
}

const openOrder = (id: string) =>
  database.db.query('select drive_at from open_orders where order_id = $1', [id])

test('rule 15: orders are claimed in the order of their owners and keys', async () => {
  const orders = ['key-z', 'key-a'].map((idempotencyKey, index) =>
    anOrder({ id: `ord_${index}`, ownerId: 'usr_claims', idempotencyKey }),
  )
  const [last, first] = orders.map((order) => ({ ...order, id: `${order.id}_other` }))
  assert.ok(last && first)
  const outcomes = await whileHeld(database.db, (tx) => placeOrders(within(tx), [first]), {
    work: () => placeOrders(world, orders),
    // It would wait, and time out, if the last key had been claimed already.
    look: () => placeOrders(world, [last]),
  })
  assert.deepEqual(kindsOf(outcomes), ['repeated', 'repeated'])
})

test('rule 12: due orders are claimed past those that another replica is claiming', async () => {
  const orders = ['ord_due_1', 'ord_due_2'].map((id) => anOrder({ id }))
  await placeOrders(world, orders)
  const now = new Date(world.clock.now() + 10_000)
  const leaseUntil = new Date(now.getTime() + 10_000)
  const claim = () =>
    database.db.transaction((tx) => claimDueOrders(tx, { now, leaseUntil, limit: 1_000 }))
  const claimed = await database.db.transaction(async (tx) => {
    await tx.query(`select from open_orders where order_id = 'ord_due_1' for update`)
    return (await claim()).map(({ order_id }) => order_id)
  })
  assert.ok(claimed.includes('ord_due_2') && !claimed.includes('ord_due_1'))
  assert.deepEqual(
    (await claim()).map(({ order_id }) => order_id),
    ['ord_due_1'],
    'those claimed before are leased',
  )
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

test('rule 15: orders are locked in the order of their ids, as stored or as asked', async () => {
  const orders = ['ord_z1', 'ord_a1'].map((id) => anOrder({ id }))
  for (const order of orders) await placeOrders(world, [order])
  const driveAt = new Date(world.clock.now())
  const lock = 'select id from orders where id = $1 for update skip locked'
  await whileHeld(database.db, (tx) => tx.query(lock, ['ord_a1']), {
    work: () =>
      settleOrders(
        world,
        orders.map((order) => ({ order, from: 'pending', driveAt })),
      ),
    look: async () => assert.equal((await database.db.query(lock, ['ord_z1'])).length, 1),
  })
})

// Ids and keys are two orders, and a batch can follow only one: that of keys, which honest repeats meet.
test('rules 15, 16: batches whose ids cross are told apart by PostgreSQL, and every answer is right', async () => {
  const batch = (...of: [owner: string, id: string][]) =>
    of.map(([ownerId, id]) => anOrder({ id, ownerId, requestHash: ownerId }))
  const one = batch(['usr_1', 'ord_x'], ['usr_2', 'ord_middle'], ['usr_3', 'ord_y'])
  const other = batch(['usr_4', 'ord_y'], ['usr_5', 'ord_x'])
  let others: Promise<PlaceOutcome[]> | undefined
  const outcomes = await whileHeld(
    database.db,
    (tx) => placeOrders(within(tx), batch(['usr_0', 'ord_middle'])),
    {
      work: () => placeOrders(world, one),
      look: async () => {
        others = placeOrders(world, other)
        while ((await waiting()) < 2) await new Promise((resolve) => setTimeout(resolve, 5))
      },
    },
  )
  const answers = [...outcomes, ...((await others) ?? [])]
  for (const [index, order] of [...one, ...other].entries()) {
    const [stored] = await readOrders(world, [order.id])
    const expected = stored?.ownerId === order.ownerId ? 'placed' : 'id_taken'
    assert.equal(answers[index]?.kind, expected, `${order.ownerId} ${order.id}`)
  }
})

const within = (tx: Transaction): typeof world => ({
  ...world,
  db: { ...database.db, transaction: (work) => work(tx) },
})

async function waiting(): Promise<number> {
  const blocked = await database.db.query(
    `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
  )
  return blocked.length
}

test('an order says that its customer is asked when that begins, and when it is for something else', async () => {
  const id = 'ord_asks'
  const placed = anOrder({ id, paymentStatus: 'requires_payment_method', paymentMethod: null })
  await placeOrders(world, [placed])
  const driveAt = new Date(world.clock.now())
  const asked = (paymentStatus: string, url?: string): Settlement => ({
    order: {
      ...placed,
      paymentStatus,
      paymentId: 'pay_1',
      nextAction: url === undefined ? null : { type: 'redirect', url },
    },
    from: 'pending',
    driveAt,
  })
  const plain = anOrder({ id: 'ord_beside' })
  await placeOrders(world, [plain])
  const steps: [Settlement, number][] = [
    [asked('requires_payment_method'), 1],
    [asked('requires_payment_method'), 1],
    [asked('requires_action', 'http://one'), 2],
    [asked('requires_action', 'http://one'), 2],
    [asked('requires_action', 'http://two'), 3],
    [asked('processing'), 3],
    [asked('requires_payment_method'), 4],
  ]
  for (const [settlement, count] of steps) {
    const beside = {
      order: { ...plain, paymentStatus: 'processing' },
      from: 'pending',
      driveAt,
    } as const
    await settleOrders(world, [settlement, beside])
    const said = (await saidOf(id)).filter((type) => type === 'order.action_required.v1')
    assert.equal(said.length, count)
  }
  assert.deepEqual(await saidOf('ord_beside'), ['order.placed.v1'])
})

test('on the way of a card nothing is read that nobody needs', async () => {
  const order = anOrder({ id: 'ord_card' })
  await placeOrders(world, [order])
  let awaited = 0
  const counting: typeof world = {
    ...world,
    db: {
      ...database.db,
      transaction: (work) =>
        database.db.transaction((tx) => {
          const query: typeof tx.query = (...asked) => {
            awaited += 1
            return tx.query(...asked)
          }
          return work({ ...tx, query })
        }),
    },
  }
  const driveAt = new Date(world.clock.now())
  const paid = { ...order, paymentStatus: 'processing' }
  await settleOrders(counting, [{ order: paid, from: 'pending', driveAt }])
  assert.equal(awaited, 1, 'the update alone')
})
