/** Proves rule 16 for every write of products: a commit whose answer is lost has one effect, and a right answer. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { whileAdvancing } from '@quartet/kit/testing'
import {
  createLossyDatabase,
  losingEachCommit,
  type LossyDatabase,
} from '@quartet/kit/testing/lossy-postgres'
import type { App } from '@quartet/kit/world'
import {
  aDesk,
  call,
  createProduct,
  createTestProducts,
  levelsOf,
  release,
  reserve,
  type Answer,
  type TestProducts,
} from './testing/shop.ts'

let at: TestProducts
let lossy: LossyDatabase
let app: App // whose commits are lost; the other replica does what goes on in the background
before(async () => {
  at = await createTestProducts()
  lossy = await createLossyDatabase(at.database)
  app = at.openIdle({ db: lossy.db })
})
after(async () => {
  await at.close()
  await lossy.close()
})

const meanwhile = <Result>(promise: Promise<Result>) => whileAdvancing(at.clock, promise)

// As clients do: what is told as unavailable or still running is asked again, by the same key.
async function until(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 0; tries < 10; tries += 1) {
    const answer = await meanwhile(ask())
    if (answer.status !== 503 && answer.body['code'] !== 'request_in_progress') return answer
    if (answer.status === 409) await at.clock.advance(5_001) // the rest of the key's lease
  }
  return assert.fail('no answer')
}

const outcomesOf = (outcomes: { outcome: string }[]) => outcomes.map(({ outcome }) => outcome)

test('rule 16: a reserve whose commit is lost reserves once, and its neighbours too', async () => {
  const id = await createProduct(at, { stock: 1_000 })
  let reserved = 0
  const losses = await losingEachCommit(lossy, async (run) => {
    const items = ['a', 'b', 'c'].map((name) => {
      const lines = [{ product_id: id, quantity: 2 }]
      return { order_id: `ord_${run}_${name}`, owner_id: 'usr_1', lines }
    })
    const outcomes = await meanwhile(reserve(at, items, app))
    assert.deepEqual(outcomesOf(outcomes), ['reserved', 'reserved', 'reserved'], run)
    assert.deepEqual(await reserve(at, items), outcomes)
    reserved += 6
    assert.equal((await levelsOf(at, id)).reserved, reserved, run)
  })
  assert.ok(losses >= 2, `${losses} lost`)
})

test('rule 16: a release whose commit is lost gives back once, and a tombstone stays', async () => {
  const id = await createProduct(at, { stock: 1_000 })
  const losses = await losingEachCommit(lossy, async (run) => {
    const lines = [{ product_id: id, quantity: 2 }]
    const held = { order_id: `rel_${run}`, owner_id: 'usr_1', lines }
    const late = { ...held, order_id: `late_${run}` }
    await reserve(at, [held])
    const outcomes = await meanwhile(release(at, [held, late], app))
    assert.deepEqual(outcomesOf(outcomes), ['released', 'released'], run)
    assert.deepEqual(outcomesOf(await reserve(at, [held, late])), ['released', 'released'], run)
    assert.deepEqual(await levelsOf(at, id), { stocked: 1_000, reserved: 0 }, run)
  })
  assert.ok(losses >= 2, `${losses} lost`)
})

test('rules 16, 17: a stock change whose commit is lost moves once, whichever commit it is', async () => {
  const id = await createProduct(at, { stock: 10 })
  let stocked = 10
  const losses = await losingEachCommit(lossy, async (run) => {
    const body = { quantity: 5 }
    const ask = () => call(at, `/products/${id}/stock`, { body, key: `move-${run}`, app })
    const answer = await until(ask)
    assert.equal(answer.status, 201, `${run} ${JSON.stringify(answer.body)}`)
    stocked += 5
    assert.deepEqual(await levelsOf(at, id), { stocked, reserved: 0 }, run)
    assert.deepEqual((await until(ask)).body, answer.body, run)
    assert.equal((await levelsOf(at, id)).stocked, stocked, run)
  })
  // The claim of the key, the change, the answer of the key.
  assert.ok(losses >= 4, `${losses} lost`)
})

test('rules 16, 17: a product whose commit is lost is created once, whichever commit it is', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const ask = () => call(at, '/products', { body: aDesk(), key: `create-${run}`, app })
    const answer = await until(ask)
    assert.equal(answer.status, 201, `${run} ${JSON.stringify(answer.body)}`)
    assert.deepEqual((await until(ask)).body, answer.body, run)
    const id = String(answer.body['id'])
    assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 }, run)
    const said = await at.database.db.query(
      `select from outbox where subject = $1 union all select from events where subject = $1`,
      [id],
    )
    assert.equal(said.length, 1, run)
  })
  assert.ok(losses >= 4, `${losses} lost`)
})
