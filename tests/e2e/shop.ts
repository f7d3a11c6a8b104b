/** Owns the shop that end-to-end tests use: the real processes, started by npm start's own code, and its books. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Explained } from '../../tools/explained.ts'
import { isFree } from '../../tools/ports.ts'
import { PROCESSES, planShop } from '../../tools/start/plan.ts'
import { startShop, type Shop, type ShopOptions } from '../../tools/start/shop.ts'
import { reconcile } from './reconcile.ts'

export type Answer = { status: number; body: Record<string, unknown>; headers: Headers }
export type Call = {
  method?: string
  body?: unknown
  token?: string
  key?: string
  /** A connection of its own, as curl has. */
  close?: boolean
}

/** A shop on ports and data of its own. */
export type TestShop = {
  shop: Shop
  admin: string
  /** What products that a test made had at first. */
  firstStock: Map<string, number>
  /** Registers a customer and gives a token. */
  newCustomer: () => Promise<string>
  /** `keep`: data and logs stay. */
  close: (keep?: boolean) => Promise<void>
}

// Every test's customers come from one address.
const UNLIMITED = {
  SIGN_INS_PER_MINUTE: '1000000',
  REQUESTS_PER_MINUTE_BY_ADDRESS: '1000000',
  REQUESTS_PER_MINUTE_BY_ACCOUNT: '1000000',
}

export async function openShop(
  options: Partial<
    Pick<ShopOptions, 'oneProcess' | 'replicas' | 'env' | 'onEvent' | 'pages' | 'signal'>
  > = {},
): Promise<TestShop> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'quartet-e2e-'))
  const shop = await startSomewhere({
    dataDir,
    fresh: false,
    oneProcess: false,
    ...options,
    env: { gateway: UNLIMITED, ...options.env },
  }).catch((error: unknown) => {
    rmSync(dataDir, { recursive: true, force: true })
    throw error
  })
  const { email, password } = shop.credentials.admin
  const admin = await logIn(shop, email, password)
  let customers = 0
  return {
    shop,
    admin,
    firstStock: new Map(),
    async newCustomer() {
      customers += 1
      const account = {
        email: `buyer${customers}@example.com`,
        password: `secret-${customers}-word`,
      }
      const body = { ...account, name: `Buyer ${customers}` }
      const { status } = await call(`${shop.urls.users}/users`, { body })
      assert.equal(status, 201)
      return logIn(shop, account.email, account.password)
    },
    async close(keep = false) {
      await shop.stop()
      if (!keep) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** Starts a shop where ports are free; where another was faster than we could start, elsewhere. */
async function startSomewhere(options: Omit<ShopOptions, 'portBase'>): Promise<Shop> {
  for (let portBase = await freePortBase(); ; portBase = await freePortBase(portBase + 100)) {
    try {
      return await startShop({ ...options, portBase })
    } catch (error) {
      if (!(error instanceof Explained && error.message.includes('is taken'))) throw error
    }
  }
}

// Test files run at the same time: each looks first where no other does.
const FIRST_PORT_BASE = 23_000 + (process.pid % 150) * 100

async function freePortBase(first = FIRST_PORT_BASE): Promise<number> {
  for (let base = first; base < 60_000; base += 100) {
    const ports = [...PROCESSES.map((name) => planShop(base).ports[name]), base + 32]
    const free = await Promise.all(ports.map((port) => isFree(port)))
    if (free.every(Boolean)) return base
  }
  throw new Error('no free ports')
}

async function logIn(shop: Shop, email: string, password: string): Promise<string> {
  const { status, body } = await call(`${shop.urls.users}/sessions`, { body: { email, password } })
  assert.equal(status, 201)
  return String(body['access_token'])
}

/** A request as the plainest client sends it. */
export async function call(
  url: string,
  { method, body, token, key, close = false }: Call = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...(close ? { connection: 'close' } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const parsed = (await response.json()) as Record<string, unknown>
  return { status: response.status, body: parsed, headers: response.headers }
}

/** A keyed request as a good client sends it: again, under the same key, while the answer is "later". */
export async function callUntilDefinite(url: string, how: Call & { key: string }): Promise<Answer> {
  for (let tries = 0; ; tries += 1) {
    const answer = await call(url, how)
    if (tries === 60 || ![202, 503].includes(answer.status)) return answer
    await new Promise((resolve) => setTimeout(resolve, 1_000)) // as Retry-After says
  }
}

/** Runs `task` for 0 to count − 1, `connections` at a time. */
export async function inParallel<Result>(
  count: number,
  connections: number,
  task: (index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next
      next += 1
      results[index] = await task(index)
    }
  }
  await Promise.all(Array.from({ length: connections }, worker))
  return results
}

type Money = { amount: number; currency: string }
export type Order = {
  id: string
  status: string
  total: Money | null
  line_items: { product_id: string; quantity: number }[]
}
type Payment = {
  id: string
  order_id: string | null
  status: string
  amount_received: number
  amount_refunded: number
}
type Entry = {
  sequence: number
  type: string
  amount: number
  metadata: { payment_id: string; order_id?: string } | null
}

/** All pages of a list. */
async function readAll<Item>(url: string, token: string): Promise<Item[]> {
  const items: Item[] = []
  let cursor: string | null = null
  do {
    const page: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const { status, body } = await call(`${url}?limit=100${page}`, { token })
    assert.equal(status, 200)
    items.push(...(body['data'] as Item[]))
    cursor = body['next_cursor'] as string | null
  } while (cursor !== null)
  return items
}

async function readRecord({ shop }: TestShop): Promise<Entry[]> {
  const key = readFileSync(path.join(shop.dataDir, 'secrets/provider-api-key'), 'utf8').trim()
  const entries: Entry[] = []
  let after: number | null = 0
  while (after !== null) {
    const url: string = `${shop.urls.provider}/v1/record?after=${after}`
    const { body } = await call(url, { token: key })
    entries.push(...(body['data'] as Entry[]))
    after = body['next'] as number | null
  }
  return entries
}

const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0)

// What an order's buyer has paid and not got back, by the provider's own record.
function keptByOrder(record: Entry[]): Map<string, number> {
  const kept = new Map<string, number>()
  for (const { type, amount, metadata } of record) {
    const id = metadata?.order_id
    if (id === undefined || !['charged', 'captured', 'refunded'].includes(type)) continue
    kept.set(id, (kept.get(id) ?? 0) + (type === 'refunded' ? -amount : amount))
  }
  return kept
}

/** Fails unless provider, ledger, payments, orders and stock tell one story, id by id, over HTTP and in their databases. Gives the orders. */
export async function checkBooks(at: TestShop): Promise<Order[]> {
  const { urls } = at.shop
  const orders = await readAll<Order>(`${urls.orders}/orders`, at.admin)
  const payments = await readAll<Payment>(`${urls.payments}/payments`, at.admin)
  const record = await readRecord(at)
  const kept = keptByOrder(record)
  const charges = record.filter(({ type }) => type === 'charged')
  const charged = Map.groupBy(charges, ({ metadata }) => metadata?.order_id)
  const paid = new Map(payments.map((payment) => [payment.order_id, payment]))
  for (const { id, status, total } of orders) {
    assert.ok(['confirmed', 'completed', 'canceled'].includes(status), `${id} has ended: ${status}`)
    const owed = status === 'canceled' ? 0 : (total?.amount ?? -1)
    assert.equal(kept.get(id) ?? 0, owed, `the provider's record of ${id}, ${status}`)
    assert.ok((charged.get(id)?.length ?? 0) <= 1, `${id} was charged once`)
    const payment = paid.get(id)
    const net = (payment?.amount_received ?? 0) - (payment?.amount_refunded ?? 0)
    assert.equal(net, owed, `the payment of ${id}`)
  }
  await checkLedger(at, payments, record)
  await checkStock(at, orders)
  await reconcile(at.shop)
  return orders
}

async function checkLedger(at: TestShop, payments: Payment[], record: Entry[]): Promise<void> {
  const { body } = await call(`${at.shop.urls.payments}/ledger/balance`, { token: at.admin })
  const [balance] = body['data'] as Record<string, number>[]
  const moved = (types: string[]) =>
    sum(record.filter(({ type }) => types.includes(type)).map(({ amount }) => amount))
  assert.equal(balance?.['sum_of_balances'] ?? 0, 0)
  assert.equal(balance?.['charged'] ?? 0, moved(['charged', 'captured']), 'ledger and provider')
  assert.equal(balance?.['refunded'] ?? 0, moved(['refunded']), 'ledger and provider')
  assert.equal(sum(payments.map((each) => each.amount_received)), balance?.['charged'] ?? 0)
}

const MAX_EVENTS_LAG_MS = 60_000

// The events of all that is confirmed are applied in a moment: then nothing is held any more.
async function checkStock(at: TestShop, orders: Order[]): Promise<void> {
  const sold = new Map<string, number>()
  for (const { status, line_items } of orders) {
    if (status === 'canceled') continue
    for (const { product_id, quantity } of line_items) {
      sold.set(product_id, (sold.get(product_id) ?? 0) + quantity)
    }
  }
  const wanted = new Set(orders.flatMap((each) => each.line_items.map((line) => line.product_id)))
  for (const id of wanted) {
    const look = async () => (await stockOf(at, id)).body
    if ((await stockOf(at, id)).status === 404) continue
    await until(async () => (await look())['reserved_quantity'] === 0, MAX_EVENTS_LAG_MS)
    const first = at.firstStock.get(id)
    const left = (await look())['stocked_quantity']
    assert.ok(Number(left) >= 0)
    if (first !== undefined)
      assert.equal(left, first - (sold.get(id) ?? 0), `what is left of ${id}`)
  }
}

/** Levels of a product, for the admin. */
export const stockOf = ({ shop, admin }: TestShop, id: string): Promise<Answer> =>
  call(`${shop.urls.products}/products/${id}/stock`, { token: admin })

/** Creates a product of one price and gives its id. */
export async function newProduct(at: TestShop, id: string, stock: number): Promise<string> {
  const price = { amount: 1_250, currency: 'USD' }
  const body = { id, name: `Product ${id}`, description: '', category: 'Tests', price, stock }
  const answer = await call(`${at.shop.urls.products}/products`, { body, token: at.admin })
  assert.equal(answer.status, 201)
  at.firstStock.set(id, stock)
  return id
}

/** Waits until `holds`; fails after `limitMs`. */
export async function until(holds: () => Promise<boolean>, limitMs: number): Promise<void> {
  const deadlineMs = performance.now() + limitMs
  while (!(await holds())) {
    assert.ok(performance.now() < deadlineMs, `not within ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
