/** Proves rule 16 for every write of payments: a commit whose answer is lost has one effect, and a right answer. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  createLossyDatabase,
  losingEachCommit,
  type LossyDatabase,
} from '@quartet/kit/testing/lossy-postgres'
import type { App } from '@quartet/kit/world'
import {
  anOrder,
  call,
  chargedFor,
  checkBooks,
  createTestPayments,
  pay,
  settle,
  voidOrders,
  type Answer,
  type TestPayments,
} from './testing/shop.ts'

let at: TestPayments
let lossy: LossyDatabase
let app: App // whose commits are lost; the other replica does what goes on in the background
before(async () => {
  at = await createTestPayments({ LEASE_MS: '1000', COMMAND_BUDGET_MS: '200' })
  lossy = await createLossyDatabase(at.database)
  app = at.openIdle({ db: lossy.db })
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
  for (let tries = 0; tries < 20; tries += 1) {
    const outcomes = await ask()
    if (!outcomesOf(outcomes).includes('processing')) return outcomes
    await at.meanwhile(at.clock.timers.sleep(500))
  }
  return assert.fail('still processing')
}

// As clients do: what is told as unavailable or still running is asked again by the same key.
async function until(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 0; tries < 10; tries += 1) {
    const answer = await ask()
    if (answer.status !== 503 && answer.body['code'] !== 'request_in_progress') return answer
    if (answer.status === 409) await at.clock.advance(5_001) // the rest of the key's lease
  }
  return assert.fail('no answer')
}

test('rule 16: pay whose commits are lost charges each order once, whichever commit it is', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const items = [anOrder(), anOrder({ payment_method: 'pm_card_chargeDeclined' }), anOrder()]
    const outcomes = await untilFinal(() => pay(at, items, app))
    assert.deepEqual(outcomesOf(outcomes), ['succeeded', 'declined', 'succeeded'], run)
    assert.deepEqual(await untilFinal(() => pay(at, items)), outcomes, run)
    for (const { order_id, payment_method } of items) {
      const charged = payment_method === 'pm_card_visa' ? [['charged', 1_000]] : []
      assert.deepEqual(await chargedFor(at, order_id), charged, run)
    }
  })
  // The intention, and what the provider told: each as it is asked for, and as it is answered.
  assert.ok(losses >= 4, `${losses} lost`)
  await checkBooks(at)
})

test('rules 8, 16: void whose commits are lost refunds once what was charged, and leaves a tombstone', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const [paid, late] = [anOrder(), anOrder()]
    await untilFinal(() => pay(at, [paid]))
    const outcomes = await untilFinal(() => voidOrders(at, [paid, late], app))
    assert.deepEqual(outcomesOf(outcomes), ['canceled', 'canceled'], run)
    const again = await untilFinal(() => pay(at, [paid, late]))
    assert.deepEqual(outcomesOf(again), ['canceled', 'canceled'], run)
    const moved = [
      ['charged', 1_000],
      ['refunded', 1_000],
    ]
    assert.deepEqual(await chargedFor(at, paid.order_id), moved, run)
    assert.deepEqual(await chargedFor(at, late.order_id), [], run)
  })
  assert.ok(losses >= 4, `${losses} lost`)
  await checkBooks(at)
})

test('rules 9, 17: a refund whose commits are lost gives back once, whichever commit it is', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const order = anOrder()
    const [paid] = await untilFinal(() => pay(at, [order]))
    const path = `/payments/${String(paid?.payment_id)}/refunds`
    const body = { amount: { amount: 400, currency: 'USD' } }
    const ask = () => call(at, path, { body, as: at.admin, key: `refund-${run}`, app })
    const answer = await until(ask)
    assert.equal(answer.status, 201, `${run} ${JSON.stringify(answer.body)}`)
    await settle(at)
    assert.equal((await until(ask)).body['id'], answer.body['id'], run)
    const moved = [
      ['charged', 1_000],
      ['refunded', 400],
    ]
    assert.deepEqual(await chargedFor(at, order.order_id), moved, run)
  })
  assert.ok(losses >= 6, `${losses} lost`)
  await checkBooks(at)
})

test('rule 17: a payment of one’s own whose commits are lost is made and charged once', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const body = { amount: { amount: 700, currency: 'USD' }, payment_method: 'pm_card_visa' }
    const ask = () => call(at, '/payments', { body, as: at.admin, key: `own-${run}`, app })
    const answer = await until(ask)
    assert.ok([201, 202].includes(answer.status), `${run} ${JSON.stringify(answer.body)}`)
    await settle(at)
    const id = String((await until(ask)).body['id'])
    assert.equal(id, answer.body['id'], run)
    assert.deepEqual(await chargedFor(at, id), [['charged', 700]], run)
  })
  assert.ok(losses >= 6, `${losses} lost`)
  await checkBooks(at)
})

test('rule 17: a capture whose commits are lost captures once', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const order = anOrder({ capture_method: 'manual' })
    const [paid] = await untilFinal(() => pay(at, [order]))
    const path = `/payments/${String(paid?.payment_id)}`
    const capture = { method: 'PUT', body: { status: 'succeeded' }, as: at.admin, app }
    const first = await until(() => call(at, path, capture))
    // 202: it takes longer than the budget, and goes on.
    assert.ok([200, 202].includes(first.status), `${run} ${JSON.stringify(first.body)}`)
    await settle(at)
    const answer = await until(() => call(at, path, capture))
    assert.deepEqual([answer.status, answer.body['amount_received']], [200, 1_000], run)
    assert.deepEqual(await chargedFor(at, order.order_id), [['captured', 1_000]], run)
  })
  assert.ok(losses >= 2, `${losses} lost`)
  await checkBooks(at)
})
