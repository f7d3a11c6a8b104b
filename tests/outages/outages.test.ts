/** Proves the table of outages in ARCHITECTURE.md on real processes, row by row: what goes on, what is refused in time, and that nothing is lost. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { inParallel, until } from '../e2e/shop.ts'
import { reconcileTarget } from '../e2e/reconcile.ts'
import { API_KEY, NAMES, type ServiceName } from '../replicas/processes.ts'
import { assertClear, openCustomers, seenAs, waysTo, type Customers } from './customers.ts'
import { DEEDS, describeRow, ROWS, type Deed, type Row, type Victim } from './rows.ts'
import { openWorld, whyNoNats, type World } from './world.ts'

const LASTS_MS = 3_000
/** For what needs nothing of the victim, on a busy machine. */
const SOON_MS = 3_000
const HEALED_WITHIN_MS = 60_000
/** What nobody asks again for: the event is there in a moment. */
const EVENTS_WITHIN_MS = 10_000
/** Before a service knows that its database is silent; then it says so at once. */
const SILENCE_MS = 6_000
const AT_ONCE_MS = 1_000
const PRODUCT = 'prd_outages'

let world: World
let customers: Customers

before(async () => {
  world = await openWorld()
  customers = await openCustomers(world, PRODUCT)
})
after(() => world.close())

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Orders that were begun, by their keys, with the ids that were told. */
type Begun = Map<string, string | undefined>

/** Customers do all that there is to do, one thing after another each. */
async function live(row: Row): Promise<Begun> {
  const { victim, way, seen } = row
  const begun: Begun = new Map()
  const untilMs = performance.now() + LASTS_MS
  const customer = async (deed: Deed) => {
    const ways = waysTo(deed, row)
    for (let turn = 0; turn === 0 || performance.now() < untilMs; turn += 1) {
      const by = ways[turn % ways.length] ?? 'gateway'
      const key = customers.newKey()
      if (deed === 'buy') begun.set(key, undefined)
      const answer = await customers.ask(deed, { by, key })
      const story = `${victim} ${way}, ${deed} by ${by}: ${answer.status} ${JSON.stringify(answer.body)} after ${answer.tookMs} ms`
      assert.ok(seen[deed].includes(seenAs(answer)), story)
      if (answer.status === 503) assertClear(answer, row, deed, story)
      else if (deed === 'buy') begun.set(key, String(answer.body['id']))
      if (isUnconcerned(row, deed)) assert.ok(answer.tookMs < SOON_MS, story)
      await pause(50)
    }
  }
  await Promise.all([...DEEDS, 'buy' as const, 'buy' as const].map(customer))
  return begun
}

/** Whether a deed needs nothing of the victim: it is answered as ever, and as soon. */
const isUnconcerned = ({ victim, way, seen }: Row, deed: Deed): boolean =>
  way !== 'slow' && victim !== 'postgres' && seen[deed].every((each) => [200, 201].includes(+each))

/** Whatever was begun is confirmed: what a customer was told of by itself, the rest when it is asked for again. */
async function complete(begun: Begun): Promise<void> {
  const untilMs = performance.now() + HEALED_WITHIN_MS
  const again = async (story: string) => {
    assert.ok(performance.now() < untilMs, story)
    await pause(100)
  }
  const byItself = async (id: string) => {
    for (;;) {
      const url = `${world.originOf('gateway')}/api/orders/${id}`
      const { status } = (await customers.request(url)).body
      if (status === 'confirmed') return
      await again(`${id} is ${String(status)}`)
    }
  }
  const byItsKey = async (key: string, id?: string) => {
    for (;;) {
      const { status, body } = await customers.ask('buy', { by: 'gateway', key })
      const story = `${key}: ${status} ${JSON.stringify(body)}`
      if (status === 201) return assert.equal(body['id'], id ?? body['id'], story)
      assert.ok([202, 503].includes(status), story)
      await again(story)
    }
  }
  const orders = [...begun]
  await inParallel(orders.length, 8, async (index) => {
    const [key = '', id] = orders[index] ?? []
    if (id !== undefined) await byItself(id)
    await byItsKey(key, id)
  })
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

/** What a row promises beside what its customers see; it may give what is to hold afterwards. */
type Promised = () => Promise<void | (() => Promise<void>)>

const BESIDES: Record<string, Promised> = {
  'users stopped': everybodyElseStartsAnew,
  'postgres stopped': databaseIsMissed,
  'postgres frozen': databaseIsMissed,
  'nats stopped': eventsGoOn,
  'nats frozen': eventsGoOn,
  'nats slow': eventsGoOn,
}

/** Who is logged in goes on: each service keeps the keys that it needs. */
async function everybodyElseStartsAnew(): Promise<void> {
  const others = ['products', 'payments', 'orders', 'gateway'] as const
  await Promise.all(others.map((name) => world.restart(name)))
  for (const by of ['service', 'gateway', 'browser'] as const) {
    const { status, body } = await customers.ask('buy', { by, key: customers.newKey() })
    assert.equal(status, 201, `${by}: ${JSON.stringify(body)}`)
  }
}

async function databaseIsMissed(): Promise<() => Promise<void>> {
  const pathOf = {
    users: '/users',
    products: '/products',
    orders: '/orders',
    payments: '/payments',
  }
  const look = async (name: ServiceName, within: number, what = pathOf[name]) => {
    const { status, body, tookMs } = await customers.request(`${world.originOf(name)}${what}`)
    const story = `${name}${what}: ${status} ${JSON.stringify(body)} after ${tookMs} ms`
    assert.ok(tookMs < within, story)
    return { status, code: body['code'], story }
  }
  const isMissed = async (name: ServiceName) => {
    for (const within of [SILENCE_MS, AT_ONCE_MS]) {
      const { status, code, story } = await look(name, within)
      assert.deepEqual([status, code], [503, 'database_unavailable'], story)
    }
    assert.equal((await look(name, AT_ONCE_MS, '/health/ready')).status, 503, name)
    assert.equal((await look(name, AT_ONCE_MS, '/health/live')).status, 200, name)
  }
  await Promise.all(NAMES.map(isMissed))
  // Whoever starts meanwhile waits for its database.
  const restarted = world.restart('users')
  return () => restarted
}

/** Sales and payments are told of by the feed. */
async function eventsGoOn(): Promise<void> {
  const at = (name: ServiceName, what: string) => `${world.originOf(name)}${what}`
  const line_items = [{ product_id: PRODUCT, quantity: 1 }]
  const placed = await customers.request(at('orders', '/orders'), { line_items })
  assert.equal(placed.status, 202)
  const { id } = placed.body
  const payment = { order_id: id, payment_method: 'pm_card_visa' }
  assert.equal((await customers.request(at('payments', '/payments'), payment)).status, 201)
  const { request } = customers
  const isConfirmed = async () =>
    (await request(at('orders', `/orders/${String(id)}`))).body['status'] === 'confirmed'
  await until(isConfirmed, EVENTS_WITHIN_MS)
  const isSold = async () =>
    (await request(at('products', `/products/${PRODUCT}/stock`))).body['reserved_quantity'] === 0
  await until(isSold, EVENTS_WITHIN_MS)
}

async function suffer(row: Row, t: TestContext): Promise<void> {
  const { victim, way } = row
  for (const deed of DEEDS) await customers.ask(deed)
  const mend = await world.strike(victim, way)
  let begun: Begun
  let afterwards: Awaited<ReturnType<Promised>>
  try {
    begun = await live(row)
    afterwards = await BESIDES[`${victim} ${way}`]?.()
  } finally {
    await mend()
  }
  const mendedMs = performance.now()
  await afterwards?.()
  await complete(begun)
  const isWell = async (deed: Deed) =>
    [200, 201].includes(Number(seenAs(await customers.ask(deed))))
  for (const deed of DEEDS) await until(() => isWell(deed), HEALED_WITHIN_MS)
  const tookS = (performance.now() - mendedMs) / 1_000
  t.diagnostic(`${begun.size} orders, all is well after ${tookS.toFixed(1)} s`)
  assert.ok((await customers.whoAmI())['user'] !== null, 'the browser is still logged in')
  assert.deepEqual(world.died(), [], 'nobody ended but who was ended')
  if (way === 'slow') await booksAgree()
}

const skip = (victim: Victim) => (victim === 'nats' ? whyNoNats : false)

for (const row of ROWS) {
  const { victim, way } = row
  const prefix = victim === 'nats' ? 'on NATS servers of its own: ' : ''
  const title = `${prefix}outage: ${victim} ${way}: what does not need it goes on, and all is completed afterwards`
  test(title, { skip: skip(victim) }, (t) => suffer(row, t))
}

test('ARCHITECTURE.md has the same rows', () => {
  const text = readFileSync(path.resolve(import.meta.dirname, '../../ARCHITECTURE.md'), 'utf8')
  const rows = text.split('\n').filter((line) => /^\| \w+ \| (stopped|frozen|slow) \|/.test(line))
  assert.deepEqual(rows, ROWS.map(describeRow))
})
