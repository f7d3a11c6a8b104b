/** Proves what two replicas of payments do to each other: nothing, whether one is frozen, dead or asked the same. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { silentLog } from '@quartet/kit/log'
import { createLossyDatabase, type LossyDatabase } from '@quartet/kit/testing/lossy-postgres'
import type { App, World } from '@quartet/kit/world'
import type { Config } from './config.ts'
import {
  anOrder,
  call,
  chargedFor,
  checkBooks,
  createTestPayments,
  pay,
  settle,
  voidOrders,
  type TestPayments,
} from './testing/shop.ts'

let at: TestPayments
let lossy: LossyDatabase
let freezing: App // the other replica is `at.app`
before(async () => {
  at = await createTestPayments()
  lossy = await createLossyDatabase(at.database)
  freezing = at.openIdle({ db: lossy.db })
})
after(async () => {
  await at.close()
  await lossy.close()
})

const outcomesOf = (outcomes: { outcome: string }[]) => outcomes.map(({ outcome }) => outcome)

// As orders does: what is processing is asked again by the same key.
async function untilFinal<Outcome extends { outcome: string }>(
  ask: () => Promise<Outcome[]>,
): Promise<Outcome[]> {
  for (let tries = 0; tries < 60; tries += 1) {
    const outcomes = await ask()
    if (!outcomesOf(outcomes).includes('processing')) return outcomes
    await at.meanwhile(at.clock.timers.sleep(1_000))
  }
  return assert.fail('still processing')
}

const once = [['charged', 1_000]]

test('rule 15: a replica that freezes as it opens a payment does no harm when it wakes: one charge', async () => {
  const [shared, other] = [anOrder(), anOrder()]
  lossy.lose('frozen')
  const frozen = pay(at, [shared], freezing)
  await lossy.frozen(frozen)
  const outcomes = await untilFinal(() => pay(at, [other, shared]))
  assert.deepEqual(outcomesOf(outcomes), ['succeeded', 'succeeded'])
  lossy.thaw()
  await frozen
  const again = await untilFinal(() => pay(at, [shared, other], freezing))
  assert.deepEqual(again, outcomes.toReversed())
  for (const { order_id } of [shared, other]) assert.deepEqual(await chargedFor(at, order_id), once)
  await checkBooks(at)
})

test('rules 9, 10, 15: a replica that freezes with the provider’s answer unwritten is overtaken: one charge', async () => {
  const shared = anOrder()
  lossy.lose('frozen', 2) // the intention is committed; what the provider told is not
  const frozen = pay(at, [shared], freezing)
  await lossy.frozen(frozen)
  const outcomes = await untilFinal(() => pay(at, [shared]))
  assert.deepEqual(outcomesOf(outcomes), ['succeeded'])
  lossy.thaw()
  await frozen
  assert.deepEqual(await untilFinal(() => pay(at, [shared], freezing)), outcomes)
  assert.deepEqual(await chargedFor(at, shared.order_id), once)
  await checkBooks(at)
})

test('rules 8, 15: a replica that freezes as it voids is overtaken: one refund', async () => {
  const shared = anOrder()
  await untilFinal(() => pay(at, [shared]))
  lossy.lose('frozen', 2) // the refund is claimed; what the provider told is not written
  const frozen = voidOrders(at, [shared], freezing)
  await lossy.frozen(frozen)
  assert.deepEqual(outcomesOf(await untilFinal(() => voidOrders(at, [shared]))), ['canceled'])
  lossy.thaw()
  await frozen
  const moved = [...once, ['refunded', 1_000]]
  assert.deepEqual(await chargedFor(at, shared.order_id), moved)
  await checkBooks(at)
})

async function deadlocks(): Promise<number> {
  const [row] = await at.database.db.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return Number(row?.deadlocks)
}

test('rule 15: the same orders paid and voided in opposite orders by two replicas never deadlock', async () => {
  const other = await at.open()
  const deadlocksBefore = await deadlocks()
  for (let round = 0; round < 4; round += 1) {
    const items = Array.from({ length: 100 }, () => anOrder())
    await Promise.all([pay(at, items), pay(at, items.toReversed(), other)])
    await Promise.all([voidOrders(at, items), voidOrders(at, items.toReversed(), other)])
    const undone = await untilFinal(() => voidOrders(at, items))
    assert.deepEqual(new Set(outcomesOf(undone)), new Set(['canceled']))
  }
  assert.equal(await deadlocks(), deadlocksBefore)
  await checkBooks(at)
})

test('rule 10: two replicas that sweep 200 payments of a dead one charge each once', async () => {
  await at.open()
  // It dies when the intentions are committed: the provider is never asked.
  const dying = at.openIdle({
    fetch: (url, init) =>
      url.includes('provider') ? new Promise(() => {}) : at.network(url, init),
  })
  const items = Array.from({ length: 200 }, () => anOrder())
  const accepted = await pay(at, items, dying)
  assert.deepEqual(new Set(outcomesOf(accepted)), new Set(['processing']))
  await settle(at)
  const outcomes = await untilFinal(() => pay(at, items))
  assert.deepEqual(new Set(outcomesOf(outcomes)), new Set(['succeeded']))
  for (const { order_id } of items.slice(0, 3)) {
    assert.deepEqual(await chargedFor(at, order_id), once)
  }
  await checkBooks(at)
})

test('rule 17: one key at two replicas at once makes one payment and one refund, and both tell the same', async () => {
  const apps = [at.app, at.openIdle()]
  const twice = (path: string, body: object, key: string) =>
    Promise.all(apps.map((app) => call(at, path, { body, key, app, as: at.admin })))
  const own = { amount: { amount: 1_000, currency: 'USD' }, payment_method: 'pm_card_visa' }
  const [made, same] = await twice('/payments', own, 'both-pay')
  assert.equal(made?.status, 201)
  assert.deepEqual(same?.body, made.body)
  const id = String(made.body['id'])
  const part = { amount: { amount: 400, currency: 'USD' } }
  const [refund, repeat] = await twice(`/payments/${id}/refunds`, part, 'both-refund')
  assert.equal(refund?.status, 201)
  assert.deepEqual(repeat?.body, refund.body)
  await settle(at)
  assert.deepEqual(await chargedFor(at, id), [...once, ['refunded', 400]])
  await checkBooks(at)
})

// A replica that counts its transactions.
function openCounting() {
  let transactions = 0
  const { db } = at.database
  const counting: World<Config>['db'] = {
    ...db,
    transaction(work) {
      transactions += 1
      return db.transaction(work)
    },
  }
  return { app: at.openIdle({ db: counting, log: silentLog }), transactions: () => transactions }
}

const FEW = 2 * Math.ceil(Math.log2(200)) + 1

test('rule 16: what only PostgreSQL refuses in one of 200 payments fails alone, opened or booked', async () => {
  const { db } = at.database
  const items = Array.from({ length: 200 }, () => anOrder())
  const bad = items[42]?.order_id
  await db.query(
    `alter table payments add constraint refused check (order_id is null or order_id <> '${bad}')`,
  )
  const opening = openCounting()
  const opened = outcomesOf(await pay(at, items, opening.app))
  await db.query('alter table payments drop constraint refused')
  assert.equal(opened[42], 'processing')
  await settle(at)
  assert.ok(opening.transactions() <= 2 * FEW, `${opening.transactions()} transactions`)
  const all = outcomesOf(await untilFinal(() => pay(at, items)))
  assert.deepEqual(new Set(all), new Set(['succeeded']))

  // The ledger refuses what one of them was refunded.
  const [row] = await db.query<{ id: string }>('select id from payments where order_id = $1', [bad])
  await db.query(
    `alter table ledger_transactions add constraint refused
     check (payment_id <> '${row?.id}' or kind <> 'refund') not valid`,
  )
  const undoing = openCounting()
  const undone = await voidOrders(at, items, undoing.app)
  await db.query('alter table ledger_transactions drop constraint refused')
  const late = undone.filter(({ outcome }) => outcome !== 'canceled')
  assert.ok(undoing.transactions() <= 3 * FEW, `${undoing.transactions()} transactions`)
  assert.ok(late.some(({ order_id }) => order_id === bad))
  await untilFinal(() => voidOrders(at, items))
  assert.deepEqual(await chargedFor(at, String(bad)), [...once, ['refunded', 1_000]])
  await checkBooks(at)
})
