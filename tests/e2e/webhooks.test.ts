/** Proves 3-D Secure and the processor's webhooks from end to end, on real processes: what becomes of orders, money and stock. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openNeighbour, type Neighbour } from './neighbour.ts'
import {
  call,
  checkBooks,
  newProduct,
  openShop,
  stockOf,
  until,
  type Answer,
  type TestShop,
} from './shop.ts'

let at: TestShop
let webhooks: Neighbour // before payments, for the processor alone
let token = ''
let keys = 0

before(async () => {
  webhooks = await openNeighbour()
  const env = { provider: { WEBHOOK_URL: `${webhooks.url}/webhooks/simulated` } }
  at = await openShop({ env, replicas: { payments: 2, orders: 2 } })
  webhooks.lead(at.shop.urls.payments)
  token = await at.newCustomer()
})
after(async () => {
  await webhooks.close()
  await at.close()
})

// Far less than what payments waits before it looks for what a buyer did by itself.
const SOON_MS = 8_000

async function place(productId: string, payment_method: string): Promise<Answer> {
  const line_items = [{ product_id: productId, quantity: 1 }]
  keys += 1
  const body = { line_items, payment_method }
  const key = `webhooks-${keys}`
  return call(`${at.shop.urls.gateway}/api/orders`, { body, token, key })
}

async function orderOf(id: string): Promise<Record<string, unknown>> {
  return (await call(`${at.shop.urls.gateway}/api/orders/${id}`, { token })).body
}

const becomes = (id: string, status: string) =>
  until(async () => (await orderOf(id))['status'] === status, SOON_MS)

/** An order that waits for its buyer, and where the buyer is to go. */
async function aWaiting(productId: string): Promise<{ id: string; url: string }> {
  const { status, body } = await place(productId, 'pm_card_threeDSecureRequired')
  assert.equal(status, 202)
  return { id: String(body['id']), url: (body['next_action'] as { url: string }).url }
}

const decide = (url: string, decision: string) =>
  fetch(url, { method: 'POST', body: new URLSearchParams({ decision }), redirect: 'manual' })

test('3-D Secure: the buyer approves, is sent back to the shop, and the order is confirmed', async () => {
  const product = await newProduct(at, 'approved', 5)
  const { id, url } = await aWaiting(product)
  const shop = `http://localhost:${at.shop.ports.gateway}/orders/${id}`
  const address = `${url}?return_to=${encodeURIComponent(shop)}`
  const page = await fetch(address)
  assert.match(await page.text(), /Approve this payment\?[\s\S]*Back to the shop/)
  const decided = await decide(address, 'approve')
  assert.deepEqual([decided.status, decided.headers.get('location')], [303, shop])
  await becomes(id, 'confirmed')
  await checkBooks(at)
})

test('3-D Secure: the buyer declines, the order is canceled and its stock is back', async () => {
  const product = await newProduct(at, 'declined', 5)
  const { id, url } = await aWaiting(product)
  assert.equal((await stockOf(at, product)).body['available_quantity'], 4)
  await decide(url, 'decline')
  await becomes(id, 'canceled')
  assert.equal((await orderOf(id))['cancel_reason'], 'payment_declined')
  await until(async () => (await stockOf(at, product)).body['available_quantity'] === 5, SOON_MS)
  await checkBooks(at)
})

test('webhooks that come before the answer, twice, late, or instead of an answer: each order is charged once', async () => {
  const product = await newProduct(at, 'misbehaved', 50)
  const methods = ['webhookEarly', 'webhookTwice', 'webhookLate', 'lostAnswer', 'lostConnection']
  const placed = await Promise.all(
    [...methods, ...methods].map((method) => place(product, `pm_card_${method}`)),
  )
  const ids = placed.map(({ status, body }) => {
    assert.ok([201, 202].includes(status), `${status}`)
    return String(body['id'])
  })
  await until(async () => {
    const orders = await Promise.all(ids.map(orderOf))
    return orders.every(({ status }) => status === 'confirmed')
  }, 20_000)
  await checkBooks(at) // charged once, by the provider's own record
})

test('the processor is killed by -9 between the decision and its webhook: the webhook still comes', async () => {
  const product = await newProduct(at, 'while-killed', 5)
  const waiting = [await aWaiting(product), await aWaiting(product)]
  await webhooks.behave('dead')
  for (const { url } of waiting) await decide(url, 'approve')
  const pid = at.shop.processes.get('provider')?.pid()
  at.shop.kill('provider', 'SIGKILL')
  await webhooks.behave('well')
  await until(async () => {
    const now = at.shop.processes.get('provider')?.pid()
    return now !== undefined && now !== pid
  }, SOON_MS)
  for (const { id } of waiting) await becomes(id, 'confirmed')
  await checkBooks(at)
})

test('a webhook that nobody signed is refused through the public origin too', async () => {
  const url = `${at.shop.urls.gateway}/api/webhooks/simulated`
  const { status, body } = await call(url, { body: { type: 'charge.succeeded' } })
  assert.deepEqual([status, body['code']], [400, 'invalid_signature'])
})
