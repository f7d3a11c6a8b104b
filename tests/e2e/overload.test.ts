/** Proves that a shop with five times the buyers that it needs goes on selling as much, in bounded time, and recovers at once. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Pool } from 'undici'
import { silentLog } from '@quartet/kit/log'
import { connectPostgres } from '@quartet/kit/postgres'
import { realRandom } from '@quartet/kit/random'
import { realTimers } from '@quartet/kit/time'
import { joinPostgres } from '../../tools/postgres/join.ts'
import { checkBooks, newProduct, openShop, type TestShop } from './shop.ts'

let at: TestShop
let tokens: string[]
let pool: Pool
let sent = 0

before(async () => {
  at = await openShop()
  tokens = await Promise.all([1, 2, 3, 4].map(() => at.newCustomer()))
  for (let n = 0; n < 20; n += 1) await newProduct(at, `wanted-${n}`, 10_000_000)
  // Enough that what is offered waits at the shop's door, not at ours.
  pool = new Pool(at.shop.urls.orders, { connections: 1_280, pipelining: 1 })
})
after(async () => {
  await pool.destroy()
  await at.close()
})

type Answer = { status: number; ms: number }

/** One order, under a key of its own. */
function buy(): Promise<Answer> {
  sent += 1
  let startedMs = performance.now()
  const line = { product_id: `wanted-${sent % 20}`, quantity: 1 }
  return new Promise((resolve) => {
    let status = 0
    const over = () => resolve({ status, ms: performance.now() - startedMs })
    pool.dispatch(
      {
        method: 'POST',
        path: '/orders',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${tokens[sent % tokens.length]}`,
          'idempotency-key': `overload-${sent}`,
        },
        body: JSON.stringify({ line_items: [line], payment_method: 'pm_card_visa' }),
      },
      {
        // From when it is sent: what waits for a connection waits here, not at the shop.
        onRequestStart: () => void (startedMs = performance.now()),
        onResponseStart: (_controller, statusCode) => void (status = statusCode),
        onResponseData() {},
        onResponseEnd: over,
        onResponseError: over,
      },
    )
  })
}

/** `clients` who buy again as soon as they have an answer. */
async function buyInTurn(clients: number, seconds: number): Promise<Answer[]> {
  const answers: Answer[] = []
  const endMs = performance.now() + seconds * 1_000
  const client = async () => {
    while (performance.now() < endMs) answers.push(await buy())
  }
  await Promise.all(Array.from({ length: clients }, client))
  return answers
}

const confirmed = (answers: Answer[]) => answers.filter(({ status }) => status === 201)
const percentile = (answers: Answer[], share: number) =>
  answers.map(({ ms }) => ms).toSorted((a, b) => a - b)[Math.floor(answers.length * share)] ?? 0

const CLIENTS = 256
const SECONDS = 5

/** How a shop with five times the buyers does beside one with as many as it needs. */
async function compare() {
  const peak = confirmed(await buyInTurn(CLIENTS, SECONDS)).length / SECONDS
  const answers = await buyInTurn(5 * CLIENTS, SECONDS)
  const goodput = confirmed(answers).length / SECONDS
  const acceptedP99Ms = percentile(
    answers.filter(({ status }) => status !== 503),
    0.99,
  )
  const told = [...new Set(answers.map(({ status }) => status))]
  return { peak, goodput, share: goodput / peak, acceptedP99Ms, told }
}

test('rule 13: five times the buyers: as much is sold, in bounded time, and the shop recovers at once', async (t) => {
  await Promise.all(Array.from({ length: 5 * CLIENTS }, connect))
  await buyInTurn(CLIENTS, 4) // warm
  // Three tries, since the machine may have had something else to do meanwhile.
  for (let tries = 1; ; tries += 1) {
    const result = await compare()
    t.diagnostic(JSON.stringify(result))
    assert.deepEqual(
      result.told.filter((status) => ![201, 202, 503].includes(status)),
      [],
    )
    if (result.share >= 0.8 && result.acceptedP99Ms < 8_000) break
    assert.ok(tries < 3, `${result.share} of the peak, p99 ${result.acceptedP99Ms} ms`)
  }
  const afterwards = await buyInTurn(16, 2)
  assert.deepEqual(new Set(afterwards.map(({ status }) => status)), new Set([201]))
  assert.ok(percentile(afterwards, 0.99) < 2_000)
  await checkBooks(at)
})

// An update that leaves its page writes every index of its table anew: twice the work of an order.
test('what that load wrote twice stayed in its page (HOT)', async () => {
  const written = {
    orders: await updatesOf('orders', 'orders'),
    products: await updatesOf('products', 'reservations'),
    payments: await updatesOf('payments', 'payments'),
  }
  for (const [service, { updates, hot }] of Object.entries(written)) {
    assert.ok(updates > 1_000, `${service}: ${updates} updates`)
    assert.ok(hot / updates > 0.8, `${service}: ${hot} of ${updates}`)
  }
})

/** How often rows were updated, and how often in their page. Connections tell within a second. */
async function updatesOf(database: string, table: string) {
  const server = await joinPostgres({ dataDir: at.shop.dataDir, port: at.shop.ports.postgres })
  const db = connectPostgres({
    url: await server.urlOf('postgres', database),
    poolSize: 1,
    applicationName: 'test',
    timers: realTimers,
    random: realRandom,
    log: silentLog,
  })
  try {
    const [row] = await db.query<{ updates: number; hot: number }>(
      `select n_tup_upd::float8 as updates, n_tup_hot_upd::float8 as hot
       from pg_stat_user_tables where relname = $1`,
      [table],
    )
    return row ?? { updates: 0, hot: 0 }
  } finally {
    await db.close()
    await server.leave()
  }
}

/** Opens one of the pool's connections: what is measured is the shop, not how it is reached. */
const connect = async () => {
  const { body } = await pool.request({ method: 'GET', path: '/health/live' })
  await body.dump()
}
