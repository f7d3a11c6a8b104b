/** Owns a running orders service for tests: real PostgreSQL, stand-in neighbours, a clock that tests move. */
import {
  createTestClock,
  createTestDatabase,
  createTestIssuer,
  createTestNetwork,
  createTestWorld,
  whileAdvancing,
  type TestDatabase,
  type TestIssuer,
} from '@quartet/kit/testing'
import { createTestFeed, type TestFeed } from '@quartet/kit/testing/feed'
import type { App, Fetch, World } from '@quartet/kit/world'
import { ordersService } from '../app.ts'
import { readConfig, type Config } from '../config.ts'
import { paymentsSubscription } from '../events.ts'
import { testEnvironment } from './environment.ts'
import {
  createFakePayments,
  createFakeProducts,
  overHttp,
  type FakePayments,
  type FakeProducts,
  type Moment,
} from './neighbours.ts'

/** A database, the neighbours, and as many replicas as the test opens. */
export async function createTestShop(settings: NodeJS.ProcessEnv = {}) {
  const database: TestDatabase = await createTestDatabase(ordersService)
  const clock = createTestClock()
  const issuer = await createTestIssuer(clock)
  const users = createTestFeed(clock, '/users')
  const products = createFakeProducts({
    prd_desk: { name: 'Desk', amount: 500, stock: 1_000 },
    prd_lamp: { name: 'Lamp', amount: 250, stock: 3 },
    prd_ship: { name: 'Ship', amount: 10 ** 12, stock: 1_000 },
  })
  const payments = createFakePayments()
  const down = new Set<string>()
  const config: Config = readConfig(await testEnvironment(settings))
  const meeting = { meet: (_moment: Moment) => Promise.resolve() }
  const meet = (moment: Moment) => meeting.meet(moment)
  const fetch = createNeighbourhood({ issuer, users, products, payments, down, meet })
  const replicas: App[] = []

  // A replica that only answers: what goes on in the background the others do.
  function openIdle(changes: Partial<World<Config>> = {}): App {
    const world = createTestWorld({ config, db: database.db, clock, fetch })
    return ordersService.createApp({ ...world, ...changes })
  }

  async function open(changes: Partial<World<Config>> = {}): Promise<App> {
    const app = openIdle(changes)
    await app.start()
    replicas.push(app)
    return app
  }

  const app = await open()

  const meanwhile = <Result>(promise: Promise<Result>) => whileAdvancing(clock, promise)

  return {
    app,
    clock,
    database,
    issuer,
    users,
    products,
    payments,
    down,
    /** What happens as commands arrive and answers leave: tests put it in. */
    meeting,
    open,
    openIdle,
    meanwhile,
    async close() {
      await meanwhile(Promise.all(replicas.map((replica) => replica.stop())))
      await database.drop()
    },
  }
}

export type TestShop = Awaited<ReturnType<typeof createTestShop>>

function createNeighbourhood(parts: {
  issuer: TestIssuer
  users: TestFeed
  products: FakeProducts
  payments: FakePayments
  down: Set<string>
  meet: (moment: Moment) => Promise<void>
}): Fetch {
  const { issuer, users, products, payments, down, meet } = parts
  const peers = createTestNetwork({
    'http://users.test': (request) =>
      request.url.includes('/events?') ? users.fetch(request) : issuer.fetch(request),
    'http://products.test': overHttp(
      {
        '/commands/reserve': (items) => items.map((item) => products.reserve(item)),
        '/commands/release': (items) => items.map((item) => products.release(item)),
      },
      meet,
    ),
    'http://payments.test': overHttp(
      {
        '/commands/pay': (items) => items.map((item) => payments.pay(item)),
        '/commands/void': (items) => items.map((item) => payments.void(item)),
      },
      meet,
    ),
  })
  return async (url, init) => {
    if (down.has(new URL(url).hostname)) throw new TypeError('fetch failed')
    return peers(url, init)
  }
}

/** What an event of an order's payment does here, as if it had just been read. */
export async function applyPaymentEvent(
  { clock, database }: Pick<TestShop, 'clock' | 'database'>,
  orderId: string,
  type = 'payment.succeeded.v1',
): Promise<void> {
  const token = () => Promise.resolve('')
  const reader = { baseUrl: 'http://payments.test', token, wake: () => {} }
  const { apply } = paymentsSubscription({ clock }, reader)
  const event = { sequence: 1, id: 'evt_1', type, subject: 'pay_1', time: new Date(clock.now()) }
  await database.db.transaction((tx) => apply(tx, [{ ...event, data: { order_id: orderId } }]))
}

type Call = {
  method?: string
  body?: unknown
  as?: string
  key?: string
  headers?: Record<string, string>
  app?: App
}

export type Answer = { status: number; headers: Headers; body: Record<string, unknown> }

/** Sends a request to the shop's orders service, as a customer unless said otherwise. */
export async function call(shop: TestShop, path: string, options: Call = {}): Promise<Answer> {
  const {
    method = options.body === undefined ? 'GET' : 'POST',
    body,
    key,
    app = shop.app,
  } = options
  const headers: Record<string, string> = {
    authorization: options.as ?? (await shop.issuer.user('usr_1')),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...options.headers,
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const request = new Request(`http://orders.test${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: text }),
  })
  const response = await shop.meanwhile(app.fetch(request))
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  }
}

/** The body of an order for `quantity` desks. */
export const anOrderBody = (changes: Record<string, unknown> = {}) => ({
  line_items: [{ product_id: 'prd_desk', quantity: 2 }],
  payment_method: 'pm_card_visa',
  ...changes,
})
