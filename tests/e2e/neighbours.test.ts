/** Proves that a slow, dead or flaky neighbour costs what needs it and nothing else, and that nothing is lost. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openNeighbour, type Neighbour } from './neighbour.ts'
import { call, checkBooks, newProduct, openShop, until, type TestShop } from './shop.ts'

let at: TestShop
let payments: Neighbour
let buyers: string[]

before(async () => {
  payments = await openNeighbour()
  at = await openShop({ env: { orders: { PAYMENTS_URL: payments.url } } })
  payments.lead(at.shop.urls.payments)
  buyers = await Promise.all([1, 2, 3, 4].map(() => at.newCustomer()))
  await newProduct(at, 'neighbours', 1_000_000)
})
after(async () => {
  await payments.close()
  await at.close()
})

type Timed = { status: number; startedMs: number; tookMs: number; key: string }

const p99Ms = (all: Timed[]) =>
  all.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)[Math.floor(all.length * 0.99)] ?? 0
const statusesOf = (all: Timed[]) => [...new Set(all.map(({ status }) => status))]

let sent = 0
function place(key = `neighbours-${(sent += 1)}`) {
  const body = {
    line_items: [{ product_id: 'neighbours', quantity: 1 }],
    payment_method: 'pm_card_visa',
  }
  const token = buyers[sent % buyers.length] ?? ''
  return { key, token, answer: () => call(`${at.shop.urls.orders}/orders`, { body, token, key }) }
}

/** Asks again and again, by so many at a time, for so long. */
async function keepAsking(
  clients: number,
  forMs: number,
  ask: () => { key?: string; answer: () => Promise<{ status: number }> },
): Promise<Timed[]> {
  const fromMs = performance.now()
  const all: Timed[] = []
  const client = async () => {
    while (performance.now() - fromMs < forMs) {
      const startedMs = performance.now()
      const { key = '', answer } = ask()
      const { status } = await answer()
      const tookMs = performance.now() - startedMs
      all.push({ status, startedMs: startedMs - fromMs, tookMs, key })
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return all
}

/** Buyers, and readers of everything that needs no payments, for so long. */
async function underLoad(forMs: number): Promise<{ bought: Timed[]; read: Timed[] }> {
  const { orders, products, users } = at.shop.urls
  const token = buyers[0] ?? ''
  const urls = [
    `${orders}/orders?limit=5`,
    `${products}/products?q=desk`,
    `${products}/products/neighbours`,
    `${users}/.well-known/jwks.json`,
  ]
  const [bought, ...read] = await Promise.all([
    keepAsking(8, forMs, place),
    ...urls.map((url) => keepAsking(1, forMs, () => ({ answer: () => call(url, { token }) }))),
  ])
  return { bought, read: read.flat() }
}

/** Sums the samples of a metric of orders whose labels match. */
async function metric(name: string, labels: RegExp): Promise<number> {
  const text = await (await fetch(`${at.shop.urls.orders}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) && labels.test(line))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

async function allConfirmed(): Promise<void> {
  await until(async () => (await pending()).length === 0, 60_000)
  for (const { status } of await checkBooks(at)) assert.equal(status, 'confirmed')
}

async function pending(): Promise<{ total: unknown }[]> {
  const url = `${at.shop.urls.orders}/orders?status=pending&limit=100`
  const { body } = await call(url, { token: at.admin })
  return body['data'] as { total: unknown }[]
}

test('payments that takes 30 s: orders are taken in time, at once before long; who reads feels nothing', async () => {
  await payments.behave('slow')
  const { bought, read } = await underLoad(16_000)
  assert.equal(await metric('peer_breaker_open', /peer="payments"/), 1)
  assert.deepEqual(statusesOf(bought), [202])
  assert.ok(Math.max(...bought.map(({ tookMs }) => tookMs)) < 6_500, 'WAIT_MS and a bit')
  const later = bought.filter(({ startedMs }) => startedMs > 7_000)
  assert.ok(later.length > 100 && p99Ms(later) < 2_000, `${later.length}, ${p99Ms(later)} ms`)
  assert.deepEqual(statusesOf(read), [200])
  assert.ok(p99Ms(read) < 1_000, `reading: p99 ${p99Ms(read)} ms of ${read.length}`)
  const priced = (await pending()).filter(({ total }) => total !== null)
  assert.equal(priced.length, 100, 'products reserves as if nothing were')
  await payments.behave('well')
  await allConfirmed()
})

test('payments that is dead: the same, and nobody waits from the beginning', async () => {
  await payments.behave('dead')
  const { bought, read } = await underLoad(6_000)
  assert.deepEqual(statusesOf(bought), [202])
  assert.ok(p99Ms(bought) < 2_000, `${p99Ms(bought)} ms`)
  assert.deepEqual(statusesOf(read), [200])
  assert.ok(p99Ms(read) < 1_000, `reading: p99 ${p99Ms(read)} ms of ${read.length}`)
  await payments.behave('well')
  await allConfirmed()
})

test('payments that resets three of ten: at most a tenth is sent on top, and every order is confirmed', async () => {
  const firstTries = () => metric('peer_commands_total', /peer="payments".*outcome="(?!open)/)
  await payments.behave('resetting')
  const [callsBefore, triesBefore] = [payments.calls(), await firstTries()]
  const { bought } = await underLoad(8_000)
  await until(async () => (await pending()).length === 0, 60_000)
  const calls = payments.calls() - callsBefore
  const tries = (await firstTries()) - triesBefore
  assert.ok(tries > 50, `${tries} commands`)
  // The bucket may be full of what was earned before: ten retries.
  assert.ok(calls <= 1.1 * tries + 10, `${calls} calls for ${tries} commands`)
  assert.ok(statusesOf(bought).every((status) => status === 201 || status === 202))
  await payments.behave('well')
  await allConfirmed()
})
