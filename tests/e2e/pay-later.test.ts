/** Proves paying later on real processes: another card after a decline, nobody who pays, and payments in the very instant of expiry. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  call,
  callUntilDefinite,
  checkBooks,
  inParallel,
  newProduct,
  openShop,
  stockOf,
  until,
  type TestShop,
} from './shop.ts'

const WINDOW_MS = 8_000

let at: TestShop
before(async () => {
  at = await openShop({ env: { orders: { PAYMENT_WINDOW_MS: String(WINDOW_MS) } } })
})
after(() => at.close())

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

type Placed = { id: string; token: string; expiresAtMs: number }

async function placeToPayLater(product: string, token: string, key: string): Promise<Placed> {
  const body = { line_items: [{ product_id: product, quantity: 1 }] }
  const { status, body: order } = await call(`${at.shop.urls.orders}/orders`, { body, token, key })
  assert.equal(status, 202)
  return { id: String(order['id']), token, expiresAtMs: Date.parse(String(order['expires_at'])) }
}

const payWith = ({ id, token }: Placed, payment_method: string, key: string) =>
  call(`${at.shop.urls.payments}/payments`, { body: { order_id: id, payment_method }, token, key })

const read = async ({ id, token }: Placed) =>
  (await call(`${at.shop.urls.orders}/orders/${id}`, { token })).body

const availableOf = async (id: string) => (await stockOf(at, id)).body['available_quantity']

test('after a decline another card pays, and the order is confirmed in a moment', async (t) => {
  const product = await newProduct(at, 'later', 100)
  const token = await at.newCustomer()
  const tookMs: number[] = []
  for (let n = 0; n < 10; n += 1) {
    const placed = await placeToPayLater(product, token, `later-${n}`)
    assert.equal((await read(placed))['payment_status'], 'requires_payment_method')
    const declined = await payWith(placed, 'pm_card_chargeDeclined', `declined-${n}`)
    assert.deepEqual([declined.status, declined.body['code']], [402, 'payment_declined'])
    await sleep(300) // what the decline has said, orders has heard by then
    const paid = await payWith(placed, 'pm_card_visa', `paid-${n}`)
    assert.equal(paid.status, 201)
    const sinceMs = performance.now()
    while ((await read(placed))['status'] !== 'confirmed') {
      assert.ok(performance.now() - sinceMs < 5_000, 'confirmed in a moment')
      await sleep(2)
    }
    tookMs.push(performance.now() - sinceMs)
  }
  const sorted = tookMs.map(Math.round).toSorted((a, b) => a - b)
  t.diagnostic(`confirmed after ${sorted.join(', ')} ms`)
  await checkBooks(at)
})

test('an order that nobody pays is canceled when its time is over, and its stock is back', async () => {
  const product = await newProduct(at, 'unpaid', 5)
  const placed = await placeToPayLater(product, await at.newCustomer(), 'unpaid')
  assert.equal(await availableOf(product), 4)
  await until(async () => (await read(placed))['status'] === 'canceled', WINDOW_MS + 10_000)
  assert.ok(Date.now() >= placed.expiresAtMs, 'not before its time')
  assert.equal((await read(placed))['cancel_reason'], 'payment_expired')
  assert.equal(await availableOf(product), 5)
  const late = await payWith(placed, 'pm_card_visa', 'too-late')
  assert.deepEqual([late.status, late.body['code']], [409, 'invalid_transition'])
  await checkBooks(at)
})

test('a hundred orders are paid in the instant in which their time is over: each is confirmed and charged, or canceled and nothing is kept', async (t) => {
  const product = await newProduct(at, 'instant', 1_000)
  const buyers = await Promise.all(Array.from({ length: 4 }, () => at.newCustomer()))
  const paid = await inParallel(100, 100, async (n) => {
    const token = String(buyers[n % buyers.length])
    const placed = await placeToPayLater(product, token, `instant-${n}`)
    await sleep(placed.expiresAtMs - 100 + 2 * n - Date.now())
    const url = `${at.shop.urls.payments}/payments`
    const body = { order_id: placed.id, payment_method: 'pm_card_visa' }
    const { status } = await callUntilDefinite(url, { body, token, key: `instant-pay-${n}` })
    assert.ok(status === 201 || status === 409, `${status}`)
    return placed
  })
  const hasEnded = async (placed: Placed) =>
    ['confirmed', 'canceled'].includes(String((await read(placed))['status']))
  await until(async () => (await Promise.all(paid.map(hasEnded))).every(Boolean), 20_000)
  const ids = new Set(paid.map(({ id }) => id))
  const orders = (await checkBooks(at)).filter(({ id }) => ids.has(id))
  const confirmed = orders.filter(({ status }) => status === 'confirmed').length
  t.diagnostic(`${confirmed} confirmed, ${orders.length - confirmed} canceled`)
  assert.equal(await availableOf(product), 1_000 - confirmed)
})
