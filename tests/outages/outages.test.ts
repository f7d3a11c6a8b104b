/** Proves the table of outages in ARCHITECTURE.md on real processes, row by row: what goes on, what is refused in time, and that nothing is lost. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { until } from '../e2e/shop.ts'
import { reconcileTarget } from '../e2e/reconcile.ts'
import { ADMIN, API_KEY, NAMES } from '../replicas/processes.ts'
import { DEEDS, describeRow, ROWS, type Deed, type Row, type Victim, type Way } from './rows.ts'
import { openWorld, whyNoNats, type World } from './world.ts'

const LASTS_MS = 3_000
/** What a customer waits for; a refused connection is held for 5 s. */
const PATIENCE_MS = 4_000
const ANSWERED_WITHIN_MS = 8_000
/** For what needs nothing of the victim, on a busy machine. */
const SOON_MS = 3_000
const HEALED_WITHIN_MS = 60_000
const PRODUCT = 'prd_outages'

let world: World
let token: string
let cookie: string
let sent = 0

before(async () => {
  world = await openWorld()
  token = String((await ask('login')).body['access_token'])
  const price = { amount: 1_000, currency: 'USD' }
  const shelf = { id: PRODUCT, name: 'Outages', description: '', category: 'Tests', price }
  const made = await send(`${world.originOf('products')}/products`, { ...shelf, stock: 1_000_000 })
  assert.equal(made.status, 201)
  const session = await send(`${world.originOf('gateway')}/browser/session`, ADMIN, {
    origin: world.originOf('gateway'),
  })
  cookie = session.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ')
})
after(() => world.close())

type Answer = { status: number; body: Record<string, unknown>; headers: Headers; tookMs: number }

async function send(
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const startedMs = performance.now()
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'x-request-timeout-ms': String(PATIENCE_MS),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(ANSWERED_WITHIN_MS),
  })
  const told = (await response.json()) as Record<string, unknown>
  const tookMs = performance.now() - startedMs
  return { status: response.status, body: told, headers: response.headers, tookMs }
}

const SERVICE_OF = {
  buy: 'orders',
  catalog: 'products',
  orders: 'orders',
  payments: 'payments',
  login: 'users',
} as const

/** One deed, through the gateway; where that is away, at the service itself. */
function ask(deed: Deed, victim?: Victim, key = `outage-${(sent += 1)}`): Promise<Answer> {
  const service = world.originOf(SERVICE_OF[deed])
  const origin = victim === 'gateway' ? service : `${world.originOf('gateway')}/api`
  switch (deed) {
    case 'buy': {
      const line_items = [{ product_id: PRODUCT, quantity: 1 }]
      const body = { line_items, payment_method: 'pm_card_visa' }
      return send(`${origin}/orders`, body, { 'idempotency-key': key })
    }
    case 'catalog':
      return send(`${origin}/products/${PRODUCT}`)
    case 'orders':
      return send(`${origin}/orders?limit=1`)
    case 'payments':
      return send(`${origin}/payments?limit=1`)
    case 'login':
      return send(`${origin}/sessions`, ADMIN)
  }
}

const seenAs = ({ status, headers }: Answer) =>
  status === 200 && headers.has('age') ? ('old' as const) : status

/** Customers do all that there is to do, one thing after another each; gives the orders that they began. */
async function live({ victim, way, seen }: Row): Promise<Map<string, unknown>> {
  const placed = new Map<string, unknown>()
  const untilMs = performance.now() + LASTS_MS
  const customer = async (deed: Deed) => {
    do {
      const key = `outage-${(sent += 1)}`
      const answer = await ask(deed, victim, key)
      const name = `${victim} ${way}, ${deed}`
      const story = `${name}: ${answer.status} ${JSON.stringify(answer.body)}`
      assert.ok(seen[deed].includes(seenAs(answer)), story)
      if (answer.status === 503) assert.ok(answer.headers.has('retry-after'), story)
      if (deed === 'buy') placed.set(key, answer.body['id'])
      const isUnconcerned = way !== 'slow' && victim !== 'postgres' && seen[deed].length === 1
      if (isUnconcerned && [200, 201].includes(answer.status))
        assert.ok(answer.tookMs < SOON_MS, `${name}: ${answer.tookMs} ms`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    } while (performance.now() < untilMs)
  }
  await Promise.all([...DEEDS, 'buy' as const, 'buy' as const].map(customer))
  return placed
}

/** Whatever was begun is confirmed, under the id that its customer was told. */
async function complete(placed: Map<string, unknown>): Promise<void> {
  const untilMs = performance.now() + HEALED_WITHIN_MS
  for (const [key, id] of placed) {
    for (;;) {
      const answer = await ask('buy', undefined, key)
      if (id !== undefined && answer.body['id'] !== undefined) assert.equal(answer.body['id'], id)
      if (answer.status === 201) break
      assert.ok([202, 503].includes(answer.status), JSON.stringify(answer.body))
      assert.ok(performance.now() < untilMs, `${key} is not confirmed`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

async function booksAgree(): Promise<void> {
  const databaseUrls = {
    users: world.urlOf('users'),
    products: world.urlOf('products'),
    orders: world.urlOf('orders'),
    payments: world.urlOf('payments'),
  }
  const provider = { url: world.originOf('provider'), apiKey: API_KEY }
  await reconcileTarget({ databaseUrls, provider })
}

const health = async (name: (typeof NAMES)[number], which: 'live' | 'ready') =>
  (await send(`${world.originOf(name)}/health/${which}`)).status

/** What a row promises beside what its customers see. */
const BESIDES: Record<string, () => Promise<void>> = {
  async 'users stopped'() {
    // Who is logged in goes on though everybody else starts anew: each keeps the keys that it needs.
    for (const name of ['products', 'payments', 'orders', 'gateway'] as const)
      await world.restart(name)
    assert.equal((await ask('buy')).status, 201)
  },
  'postgres stopped': databaseIsMissed,
  'postgres frozen': databaseIsMissed,
}

async function databaseIsMissed(): Promise<void> {
  for (const name of NAMES) {
    assert.equal(await health(name, 'live'), 200, name)
    assert.equal(await health(name, 'ready'), 503, name)
  }
}

async function suffer(row: Row): Promise<void> {
  const { victim, way } = row
  for (const deed of DEEDS) await ask(deed)
  const pids = world.pids()
  const mend = await world.strike(victim, way)
  let placed: Map<string, unknown>
  try {
    placed = await live(row)
    await BESIDES[`${victim} ${way}`]?.()
  } finally {
    await mend()
  }
  await complete(placed)
  const isWell = async (deed: Deed) => [200, 201].includes(Number(seenAs(await ask(deed))))
  for (const deed of DEEDS) await until(() => isWell(deed), HEALED_WITHIN_MS)
  const session = await send(`${world.originOf('gateway')}/browser/session`, undefined, { cookie })
  assert.ok(session.body['user'] !== null, 'the browser is still logged in')
  // Whoever was not struck has lived through it.
  if (victim === 'postgres' || victim === 'nats') assert.deepEqual(world.pids(), pids)
  if (way === 'slow') await booksAgree()
}

const skip = (victim: Victim, _way: Way) => (victim === 'nats' ? whyNoNats : false)

for (const row of ROWS) {
  const { victim, way } = row
  const prefix = victim === 'nats' ? 'on NATS servers of its own: ' : ''
  const title = `${prefix}outage: ${victim} ${way}: what does not need it goes on, and all is completed afterwards`
  test(title, { skip: skip(victim, way) }, () => suffer(row))
}

test('ARCHITECTURE.md has the same rows', () => {
  const text = readFileSync(path.resolve(import.meta.dirname, '../../ARCHITECTURE.md'), 'utf8')
  const rows = text.split('\n').filter((line) => /^\| \w+ \| (stopped|frozen|slow) \|/.test(line))
  assert.deepEqual(rows, ROWS.map(describeRow))
})
