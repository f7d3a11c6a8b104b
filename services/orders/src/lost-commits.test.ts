/** Proves rule 16 for every write of orders: a commit whose answer is lost has one effect, and a right answer. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  createLossyDatabase,
  losingEachCommit,
  type LossyDatabase,
} from '@quartet/kit/testing/lossy-postgres'
import type { App } from '@quartet/kit/world'
import { anOrderBody, call, createTestShop, type Answer, type TestShop } from './testing/shop.ts'

let shop: TestShop
let lossy: LossyDatabase
let app: App // whose commits are lost; the other replica does what goes on in the background
before(async () => {
  shop = await createTestShop({ WAIT_MS: '500', LEASE_MS: '2000' })
  lossy = await createLossyDatabase(shop.database)
  app = shop.openIdle({ db: lossy.db })
})
after(async () => {
  await shop.close()
  await lossy.close()
})

type Call = NonNullable<Parameters<typeof call>[2]>

// As clients do: what isn't definite is asked again, in the same words.
async function until(path: string, options: Call): Promise<Answer> {
  for (let tries = 0; tries < 10; tries += 1) {
    const answer = await call(shop, path, { app, ...options })
    if (answer.status !== 503 && answer.status !== 202) return answer
    await shop.meanwhile(shop.clock.timers.sleep(500))
  }
  return assert.fail(`no answer of ${path}`)
}

async function untilStatus(id: string, status: string): Promise<void> {
  for (let tries = 0; tries < 20; tries += 1) {
    const { body } = await call(shop, `/orders/${id}`)
    if (body['status'] === status) return
    await shop.meanwhile(shop.clock.timers.sleep(500))
  }
  assert.fail(`${id} is not ${status}`)
}

async function saidOf(id: string): Promise<string[]> {
  const rows = await shop.database.db.query<{ type: string }>(
    `select type from outbox where subject = $1 union all select type from events where subject = $1`,
    [id],
  )
  return rows.map(({ type }) => type.split('.')[1] ?? '').toSorted()
}

const chargesOf = (id: string) =>
  shop.payments.charges.filter(({ order_id }) => order_id === id).length

test('rules 16, 17: an order whose commits are lost is placed and charged once, whichever commit it is', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    for (const key of [undefined, `place-${run}`]) {
      const id = `ord_${run}_${key === undefined ? 'plain' : 'keyed'}`
      const order = { body: anOrderBody({ id }), ...(key === undefined ? {} : { key }) }
      const answer = await until('/orders', order)
      assert.deepEqual([answer.status, answer.body['id']], [201, id], run)
      const again = await until('/orders', order)
      assert.deepEqual(again.body, answer.body, run)
      assert.equal(chargesOf(id), 1, run)
      assert.deepEqual(await saidOf(id), ['confirmed', 'placed'], run)
      assert.equal(shop.products.held.get(id)?.[0]?.quantity, 2)
    }
  })
  // Placing, confirming: each as it is asked for, and as it is answered.
  assert.ok(losses >= 4, `${losses} lost`)
})

test('rules 6, 16: a decline whose commits are lost ends canceled, with nothing held', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const id = `dec_${run}`
    const body = anOrderBody({ id, payment_method: 'pm_card_chargeDeclined' })
    const answer = await until('/orders', { body, key: id })
    assert.deepEqual([answer.status, answer.body['code']], [402, 'payment_declined'], run)
    await untilStatus(id, 'canceled')
    assert.equal(shop.products.held.has(id), false, run)
    assert.deepEqual(await saidOf(id), ['canceled', 'placed'], run)
  })
  // Placing, the way back, its end.
  assert.ok(losses >= 6, `${losses} lost`)
})

test('rules 6, 16: a cancel whose commits are lost gives back once', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const id = `can_${run}`
    await until('/orders', { body: anOrderBody({ id }), app: shop.app })
    const answer = await until(`/orders/${id}/cancel`, { method: 'POST', key: id })
    assert.deepEqual([answer.status, answer.body['status']], [200, 'canceled'], run)
    assert.equal(shop.payments.payments.get(id)?.refunded, 1_000, run)
    assert.deepEqual(await saidOf(id), ['canceled', 'confirmed', 'placed'], run)
  })
  assert.ok(losses >= 4, `${losses} lost`)
})

test('rules 6, 16: a fulfillment whose commit is lost is told as done, and said once', async () => {
  const admin = await shop.issuer.user('usr_admin', 'admin')
  const losses = await losingEachCommit(lossy, async (run) => {
    const id = `ful_${run}`
    await until('/orders', { body: anOrderBody({ id }), app: shop.app })
    const answer = await until(`/orders/${id}/fulfill`, { method: 'POST', as: admin, key: id })
    assert.deepEqual([answer.status, answer.body['status']], [200, 'completed'], run)
    assert.deepEqual(await saidOf(id), ['completed', 'confirmed', 'placed'], run)
  })
  assert.ok(losses >= 2, `${losses} lost`)
})
