/** Proves that what customers want and what the nemesis does follow from the seed, and cover all that they should. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planBlows, type BlowOptions } from './blows.ts'
import { intentOf, shelvesFor } from './intents.ts'
import { createPace } from './pace.ts'

const shelves = shelvesFor(20_000)
const intents = (seed: number) =>
  Array.from({ length: 5_000 }, (_, n) => intentOf(seed, n, shelves))
const BLOWS: BlowOptions = {
  seed: 7,
  kills: 200,
  orders: 20_000,
  gapMs: 600,
  victims: ['users', 'products', 'orders', 'payments', 'gateway', 'provider', 'postgres', 'nats'],
}

test('the same seed plans the same orders and blows, another seed others', () => {
  assert.deepEqual(intents(7), intents(7))
  assert.notDeepEqual(intents(7), intents(8))
  assert.deepEqual(planBlows(BLOWS), planBlows(BLOWS))
  assert.notDeepEqual(planBlows(BLOWS), planBlows({ ...BLOWS, seed: 8 }))
})

test('every kind of customer comes, and more of scarce products is wanted than there is', () => {
  const kinds = Map.groupBy(intents(1), ({ kind }) => kind)
  assert.equal(kinds.size, 21)
  const wanted = new Map<string, number>()
  for (let n = 0; n < 20_000; n += 1) {
    const { kind, lines } = intentOf(1, n, shelves)
    if (kind !== 'wantsScarce') continue
    for (const { product_id: id, quantity } of lines) {
      wanted.set(id, (wanted.get(id) ?? 0) + quantity)
    }
  }
  for (const { id, stock } of shelves.scarce) assert.ok((wanted.get(id) ?? 0) > stock * 1.5, id)
})

test('blows are spread over all orders, meet every victim, and come in every way', () => {
  const blows = planBlows(BLOWS)
  assert.equal(blows.length, 200)
  for (const [index, { afterOrders }] of blows.entries()) {
    assert.equal(Math.floor(afterOrders / 100), index, 'one in each two-hundredth of the orders')
  }
  assert.deepEqual(new Set(blows.map(({ victim }) => victim)), new Set(BLOWS.victims))
  assert.equal(new Set(blows.map(({ way }) => way)).size, 7)
  const freezes = blows.filter(({ way }) => way === 'frozen').map(({ lengthMs }) => lengthMs)
  assert.ok(freezes.some((ms) => ms < 1_000) && freezes.some((ms) => ms > 2_000))
  assert.ok(
    freezes.some((ms) => ms > 1_200 && ms < 2_000),
    'longer than a lease of 1.2 s',
  )
})

test('who is not there is not struck', () => {
  const blows = planBlows({ ...BLOWS, victims: ['orders', 'postgres'] })
  assert.deepEqual(new Set(blows.map(({ victim }) => victim)), new Set(['orders', 'postgres']))
})

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let isSettled = false
  void promise.finally(() => (isSettled = true))
  await new Promise((resolve) => setImmediate(resolve))
  return isSettled
}

test('blows wait for their orders, and orders for blows that are due', async () => {
  const pace = createPace([2, 4], 1)
  const first = pace.begun(2)
  await pace.order(0)
  assert.equal(await settled(first), false)
  await pace.order(1)
  assert.equal(await settled(first), true)
  const ahead = pace.order(4)
  assert.equal(await settled(ahead), false, 'the first blow has not fallen')
  pace.fell()
  assert.equal(await settled(ahead), true)
  const far = pace.order(6)
  assert.equal(await settled(far), false)
  pace.fell()
  assert.equal(await settled(far), true, 'after the last blow nothing holds orders back')
  const never = pace.begun(1_000)
  pace.over()
  assert.equal(await settled(never), true)
})
