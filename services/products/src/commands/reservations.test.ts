import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Tx } from '@quartet/kit/postgres'
import { whileHeld } from '@quartet/kit/testing'
import fc from 'fast-check'
import {
  call,
  createProduct,
  createTestProducts,
  levelsOf,
  release,
  reserve,
  type TestProducts,
} from '../testing/shop.ts'

let at: TestProducts
before(async () => {
  at = await createTestProducts()
})
after(() => at.close())

let orders = 0
const newOrder = (productId: string, quantity = 1, changes: object = {}) => {
  orders += 1
  const lines = [{ product_id: productId, quantity }]
  return { order_id: `ord_${orders}`, owner_id: 'usr_1', lines, ...changes }
}
const outcomesOf = (outcomes: { outcome: string }[]) => outcomes.map(({ outcome }) => outcome)

test('a reservation quotes the price and holds the stock', async () => {
  const id = await createProduct(at, { stock: 10 })
  const item = newOrder(id, 3)
  const quoted = {
    product_id: id,
    quantity: 3,
    name: 'Walnut desk',
    unit_price: { amount: 49_900, currency: 'USD' },
  }
  assert.deepEqual(await reserve(at, [item]), [
    { order_id: item.order_id, outcome: 'reserved', lines: [quoted] },
  ])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 3 })
})

test('rules 1, 5: the first answer is the answer for ever, a refusal too, at the price it was given', async () => {
  const id = await createProduct(at, { stock: 1 })
  const first = newOrder(id)
  const second = newOrder(id)
  const answers = await reserve(at, [first, second])
  assert.deepEqual(outcomesOf(answers), ['reserved', 'insufficient_stock'])
  await call(at, `/products/${id}/stock`, { body: { quantity: 100 } })
  await call(at, `/products/${id}`, {
    method: 'PUT',
    body: { price: { amount: 1, currency: 'USD' } },
  })
  assert.deepEqual(await reserve(at, [first, second]), answers)
  assert.deepEqual(await levelsOf(at, id), { stocked: 101, reserved: 1 })
})

test('rule 2: an order id with another owner or other lines is in conflict and takes nothing', async () => {
  const id = await createProduct(at)
  const item = newOrder(id)
  await reserve(at, [item])
  const others = [
    { ...item, owner_id: 'usr_2' },
    { ...item, lines: [{ product_id: id, quantity: 2 }] },
  ]
  for (const other of others) assert.deepEqual(outcomesOf(await reserve(at, [other])), ['conflict'])
  assert.deepEqual(outcomesOf(await release(at, [{ ...item, owner_id: 'usr_2' }])), ['conflict'])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 1 })
})

test('two different items of one batch under one id: the first is decided, the second in conflict', async () => {
  const id = await createProduct(at)
  const item = newOrder(id)
  const other = { ...item, lines: [{ product_id: id, quantity: 5 }] }
  assert.deepEqual(outcomesOf(await reserve(at, [item, other, item])), [
    'reserved',
    'conflict',
    'reserved',
  ])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 1 })
})

test('rule 1: whoever stands before it in its batch, an order gets the answer that is recorded', async () => {
  const id = await createProduct(at)
  const item = newOrder(id)
  const [recorded] = await reserve(at, [item])
  const others = [
    { ...item, owner_id: 'usr_2' },
    { ...item, lines: [{ product_id: id, quantity: 5 }] },
  ]
  const [first, second, own] = await reserve(at, [...others, item])
  assert.deepEqual([first?.outcome, second?.outcome], ['conflict', 'conflict'])
  assert.deepEqual(own, recorded)
})

test('rule 11: a release is acknowledged only where it was done, whoever stands before it in its batch', async () => {
  const id = await createProduct(at)
  const item = newOrder(id, 4)
  await reserve(at, [item])
  const foreign = { ...item, owner_id: 'usr_2' }
  const outcomes = outcomesOf(await release(at, [foreign, item, item]))
  assert.deepEqual(outcomes, ['conflict', 'released', 'released'])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 })
})

test('rule 15: reserves and releases of the same orders, in any order and at once, never deadlock', async () => {
  const ids = [await createProduct(at, { stock: 500 }), await createProduct(at, { stock: 500 })]
  const apps = [at.app, await at.open()]
  const items = Array.from({ length: 40 }, (_, n) => {
    const wanted = n % 2 === 0 ? ids : ids.toReversed()
    return { ...newOrder(''), lines: wanted.map((product_id) => ({ product_id, quantity: 1 })) }
  })
  const deadlocksBefore = await deadlocks()
  for (let round = 0; round < 5; round += 1) {
    const some = items.slice(round * 8, round * 8 + 8)
    const sendAll = (n: number, backwards: boolean) => {
      const sent = backwards ? some.toReversed() : some
      return n % 2 === 0 ? reserve(at, sent, apps[n % 3 === 0 ? 0 : 1]) : release(at, sent, apps[0])
    }
    await Promise.all(Array.from({ length: 12 }, (_, n) => sendAll(n, n % 4 < 2)))
  }
  assert.equal(await deadlocks(), deadlocksBefore)
  for (const item of items) assert.deepEqual(outcomesOf(await release(at, [item])), ['released'])
  for (const id of ids) assert.equal((await levelsOf(at, id)).reserved, 0)
})

async function deadlocks(): Promise<number | undefined> {
  const [row] = await at.database.db.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return row?.deadlocks
}

test('rule 8: a release leaves a tombstone that refuses a late reserve', async () => {
  const id = await createProduct(at)
  const item = newOrder(id)
  assert.deepEqual(outcomesOf(await release(at, [item])), ['released'])
  assert.deepEqual(outcomesOf(await reserve(at, [item])), ['released'])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 })
})

test('rule 8: a tombstone is its owner’s: to anybody else its id is in conflict', async () => {
  const item = newOrder(await createProduct(at))
  await release(at, [item])
  assert.deepEqual(outcomesOf(await reserve(at, [{ ...item, owner_id: 'usr_2' }])), ['conflict'])
})

test('rule 11: a release of what was refused gives nothing back, and the refusal stands', async () => {
  const id = await createProduct(at, { stock: 1 })
  const item = newOrder(id, 2)
  const refused = await reserve(at, [item])
  assert.deepEqual(outcomesOf(refused), ['insufficient_stock'])
  assert.deepEqual(outcomesOf(await release(at, [item])), ['released'])
  assert.deepEqual(await reserve(at, [item]), refused)
  assert.deepEqual(await levelsOf(at, id), { stocked: 1, reserved: 0 })
})

test('a release gives the stock back once, however often it comes, and the answer stays released', async () => {
  const id = await createProduct(at)
  const item = newOrder(id, 4)
  await reserve(at, [item])
  const all = await Promise.all(Array.from({ length: 20 }, () => release(at, [item])))
  assert.deepEqual(new Set(all.flatMap(outcomesOf)), new Set(['released']))
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 })
  assert.deepEqual(outcomesOf(await reserve(at, [item])), ['released'])
})

test('rule 14: a reserve that waits for a committing tombstone takes nothing', async () => {
  const id = await createProduct(at)
  const item = newOrder(id)
  const outcomes = await whileHeld(
    at.database.db,
    // The tombstone is written and not yet committed when the reserve claims the same id.
    (tx) => claim(tx, item.order_id),
    { work: () => reserve(at, [item]), look: async () => {} },
  )
  assert.deepEqual(outcomesOf(outcomes), ['released'])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 })
})

test('rule 15: stock is locked in the order of ids, by whatever command, as it is stored or as it is asked', async () => {
  // Made in this order, so that neither the table's order nor the lines' is that of the ids.
  const [last, first] = [await createProduct(at, { id: 'z' }), await createProduct(at, { id: 'a' })]
  const lines = [last, first].map((product_id) => ({ product_id, quantity: 1 }))
  const item = { ...newOrder(''), lines }
  for (const act of [reserve, release]) {
    const lock = `select product_id from stock where product_id = $1 for update skip locked`
    await whileHeld(at.database.db, (tx) => tx.query(lock, [first]), {
      work: () => act(at, [item]),
      look: async () =>
        assert.equal((await at.database.db.query(lock, [last])).length, 1, act.name),
    })
  }
})

test('rule 15: reservations are locked in the order of their ids, as stored or as asked', async () => {
  const id = await createProduct(at)
  const items = ['ord_zz', 'ord_aa'].map((order_id) => ({ ...newOrder(id), order_id }))
  for (const item of items) await reserve(at, [item])
  const lock = `select order_id from reservations where order_id = $1 for update skip locked`
  await whileHeld(at.database.db, (tx) => tx.query(lock, ['ord_aa']), {
    work: () => release(at, items),
    look: async () => assert.equal((await at.database.db.query(lock, ['ord_zz'])).length, 1),
  })
})

test('rule 15: reservations are claimed in the order of their ids', async () => {
  const id = await createProduct(at)
  for (const [act, last, first] of [
    [reserve, 'ord_z1', 'ord_a1'],
    [release, 'ord_z2', 'ord_a2'],
  ] as const) {
    const items = [last, first].map((order_id) => ({ ...newOrder(id), order_id }))
    await whileHeld(at.database.db, (tx) => claim(tx, first), {
      work: () => act(at, items),
      look: async () => assert.ok(await canClaim(last), act.name),
    })
  }
})

const claim = (tx: Tx, orderId: string) =>
  tx.query(
    `insert into reservations (order_id, owner_id, fingerprint, state, created_at, updated_at)
     values ($1, 'usr_1', '', 'released', $2, $2)`,
    [orderId, new Date(0)],
  )

// Not for another transaction that has claimed it and isn't over; leaves nothing behind.
async function canClaim(orderId: string): Promise<boolean> {
  const undo = new Error('undo')
  const claiming = at.database.db.transaction(async (tx) => {
    await tx.query(`set local lock_timeout = '50ms'`)
    await claim(tx, orderId)
    throw undo
  })
  return claiming.catch((error: unknown) => error === undo)
}

test('rule 16: a bad item never fails its neighbours, whatever is wrong with it', async () => {
  const id = await createProduct(at, { stock: 1_000 })
  const bad = [
    null,
    'ord_x',
    { order_id: 'ord_bad' },
    newOrder(id, 0),
    newOrder(id, 1.5),
    newOrder(id, 1e15),
    newOrder('a\0b'),
    newOrder(id, 1, { owner_id: 'usr \ud800' }),
    newOrder(id, 1, { lines: [] }),
  ]
  const items = bad.flatMap((item) => [newOrder(id), item as object, newOrder(id)])
  const outcomes = outcomesOf(await reserve(at, items))
  assert.deepEqual(
    outcomes,
    bad.flatMap(() => ['reserved', 'invalid', 'reserved']),
  )
  assert.deepEqual(await levelsOf(at, id), { stocked: 1_000, reserved: 2 * bad.length })
})

test('100 units, 500 orders at once over two replicas: exactly 100 are reserved', async () => {
  const id = await createProduct(at, { stock: 100 })
  const apps = [at.app, await at.open()]
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, n) => reserve(at, [newOrder(id)], apps[n % 2])),
  )
  const outcomes = answers.flatMap(outcomesOf)
  assert.equal(outcomes.filter((outcome) => outcome === 'reserved').length, 100)
  assert.equal(outcomes.filter((outcome) => outcome === 'insufficient_stock').length, 400)
  assert.deepEqual(await levelsOf(at, id), { stocked: 100, reserved: 100 })
})

test('rule 15: products wanted in opposite orders by many at once never deadlock', async () => {
  const ids = [await createProduct(at, { stock: 500 }), await createProduct(at, { stock: 500 })]
  const apps = [at.app, await at.open()]
  const wanted = (n: number) => (n % 2 === 0 ? ids : ids.toReversed())
  const deadlocksBefore = await deadlocks()
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => {
      const lines = wanted(n).map((product_id) => ({ product_id, quantity: 1 }))
      return reserve(at, [{ ...newOrder(''), lines }], apps[n % 3 === 0 ? 0 : 1])
    }),
  )
  assert.deepEqual(new Set(answers.flatMap(outcomesOf)), new Set(['reserved']))
  for (const id of ids) assert.equal((await levelsOf(at, id)).reserved, 200)
  assert.equal(await deadlocks(), deadlocksBefore)
})

test('the last unit says that the stock is depleted, once', async () => {
  const id = await createProduct(at, { stock: 2 })
  await reserve(at, [newOrder(id), newOrder(id), newOrder(id)])
  const said = await at.database.db.query(
    `select from outbox where type = 'stock.depleted.v1' and subject = $1
     union all select from events where type = 'stock.depleted.v1' and subject = $1`,
    [id],
  )
  assert.equal(said.length, 1)
})

test('commands are for the orders service, each token for one of them', async () => {
  const id = await createProduct(at)
  const body = { items: [newOrder(id)] }
  const tokens = {
    'an admin': [at.admin, 403],
    'another service': [await at.issuer.service('payments', 'products', 'reserve'), 403],
    'another scope': [await at.issuer.service('orders', 'products', 'release'), 403],
    'another audience': [await at.issuer.service('orders', 'payments', 'reserve'), 401],
    nobody: [null, 401],
  } as const
  for (const [who, [as, expected]] of Object.entries(tokens)) {
    const { status } = await call(at, '/commands/reserve', { body, as })
    assert.equal(status, expected, who)
  }
  assert.equal((await levelsOf(at, id)).reserved, 0)
})

const step = fc.record({
  act: fc.constantFrom('reserve', 'reserve', 'release', 'adjust'),
  order: fc.integer({ min: 0, max: 5 }),
  products: fc.subarray([0, 1, 2], { minLength: 1 }),
  quantity: fc.integer({ min: 1, max: 6 }),
})

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never
type Round = { name: string; ids: string[]; answers: Map<string, string> }

async function take({ act, order, products, quantity }: Step, round: Round) {
  const wanted = products.map((index) => String(round.ids[index]))
  if (act === 'adjust') {
    const signed = quantity % 2 === 0 ? quantity : -quantity
    await call(at, `/products/${wanted[0]}/stock`, { body: { quantity: signed } })
    return
  }
  const lines = wanted.map((product_id) => ({ product_id, quantity: 1 + (order % 3) }))
  const order_id = `${round.name}_${order}_${products.join('')}`
  const item = { order_id, owner_id: 'usr_1', lines }
  const [answer] = await (act === 'reserve' ? reserve(at, [item]) : release(at, [item]))
  const told = round.answers.get(order_id)
  const outcome = String(answer?.outcome)
  // What was told once is told again, until it is undone.
  if (told !== undefined && told !== 'released' && outcome !== 'released') {
    assert.equal(outcome, told)
  }
  if (told === undefined || outcome === 'released') round.answers.set(order_id, outcome)
}

async function checkBooks({ name, ids }: Round): Promise<void> {
  const levels = await Promise.all(ids.map((id) => levelsOf(at, id)))
  assert.ok(levels.every(({ stocked, reserved }) => 0 <= reserved && reserved <= stocked))
  const [row] = await at.database.db.query<{ held: number }>(
    `select coalesce(sum((line ->> 'quantity')::int), 0) as held
     from reservations, jsonb_array_elements(answer -> 'lines') as line
     where state = 'reserved' and starts_with(order_id, $1)`,
    [`${name}_`],
  )
  assert.equal(
    row?.held,
    levels.reduce((sum, { reserved }) => sum + reserved, 0),
  )
}

test('rules 1, 11, 15: whatever is reserved, released and adjusted at once, the books agree', async () => {
  let rounds = 0
  const batches = fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 6 })
  const property = fc.asyncProperty(batches, async (chosen) => {
    rounds += 1
    const ids = await Promise.all([5, 5, 0].map((stock) => createProduct(at, { stock })))
    const round = { name: `round${rounds}`, ids, answers: new Map<string, string>() }
    for (const batch of chosen) await Promise.all(batch.map((each) => take(each, round)))
    await checkBooks(round)
  })
  await fc.assert(property, { numRuns: 40 })
})
