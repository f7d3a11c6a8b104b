/** Owns a running products service for tests: real PostgreSQL, tokens of everyone, a clock that stands still. */
import {
  createTestClock,
  createTestDatabase,
  createTestIssuer,
  createTestNetwork,
  createTestWorld,
  testServiceKeyFile,
} from '@quartet/kit/testing'
import { createTestFeed } from '@quartet/kit/testing/feed'
import type { App, World } from '@quartet/kit/world'
import { productsService } from '../app.ts'
import { readConfig, type Config } from '../config.ts'
import type {
  ReleaseItem,
  ReleaseOutcome,
  ReserveItem,
  ReserveOutcome,
} from '../contract/schemas.ts'

/** One replica on a database of its own; `open` adds another. */
export async function createTestProducts() {
  const database = await createTestDatabase(productsService)
  const clock = createTestClock()
  const issuer = await createTestIssuer(clock)
  const users = createTestFeed(clock, '/users')
  const config = readConfig({
    SERVICE_KEY_FILE: await testServiceKeyFile(),
    DATABASE_URL: database.url,
    USERS_URL: 'http://users.test',
    ORDERS_URL: 'http://orders.test',
  })
  const fetch = createTestNetwork({
    'http://users.test': (request) =>
      request.url.includes('/events?') ? users.fetch(request) : issuer.fetch(request),
    'http://orders.test': issuer.fetch,
  })
  const replicas: App[] = []

  // A replica that only answers: what goes on in the background the others do.
  function openIdle(changes: Partial<World<Config>> = {}): App {
    const world = createTestWorld({ config, db: database.db, clock, fetch })
    return productsService.createApp({ ...world, ...changes })
  }

  async function open(changes: Partial<World<Config>> = {}): Promise<App> {
    const app = openIdle(changes)
    await app.start()
    replicas.push(app)
    return app
  }

  const app = await open()
  return {
    app,
    clock,
    database,
    issuer,
    users,
    open,
    openIdle,
    admin: await issuer.user('usr_admin', 'admin'),
    customer: await issuer.user('usr_1'),
    async close() {
      await Promise.all(replicas.map((replica) => replica.stop()))
      await database.drop()
    },
  }
}

export type TestProducts = Awaited<ReturnType<typeof createTestProducts>>

type Call = {
  method?: string
  body?: unknown
  as?: string | null
  key?: string
  headers?: Record<string, string>
  app?: App
}

export type Answer = { status: number; headers: Headers; body: Record<string, unknown> }

/** Sends a request, as the admin unless said otherwise; `as: null` sends no token. */
export async function call(at: TestProducts, path: string, options: Call = {}): Promise<Answer> {
  const { body, key, app = at.app, as = at.admin } = options
  const method = options.method ?? (body === undefined ? 'GET' : 'POST')
  const headers: Record<string, string> = {
    ...(as === null ? {} : { authorization: as }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    ...options.headers,
  }
  const init = body === undefined ? {} : { body: JSON.stringify(body) }
  const request = new Request(`http://products.test${path}`, { method, headers, ...init })
  const response = await app.fetch(request)
  const parsed = (await response.json()) as Record<string, unknown>
  return { status: response.status, headers: response.headers, body: parsed }
}

/** The body of a desk; `changes` say what matters to the test. */
export const aDesk = (changes: Record<string, unknown> = {}) => ({
  name: 'Walnut desk',
  description: 'Room for two screens.',
  category: 'Furniture',
  price: { amount: 49_900, currency: 'USD' },
  stock: 10,
  ...changes,
})

/** Creates a product and gives its id. */
export async function createProduct(
  at: TestProducts,
  changes: Record<string, unknown> = {},
): Promise<string> {
  const { status, body } = await call(at, '/products', { body: aDesk(changes) })
  if (status !== 201) throw new Error(`created: ${status} ${JSON.stringify(body)}`)
  return String(body['id'])
}

async function command(at: TestProducts, name: string, items: unknown[], app?: App) {
  const as = await at.issuer.service('orders', 'products', name)
  const { status, body } = await call(at, `/commands/${name}`, {
    body: { items },
    as,
    ...(app === undefined ? {} : { app }),
  })
  if (status !== 200) throw new Error(`${name}: ${status} ${JSON.stringify(body)}`)
  return body['outcomes']
}

/** The reserve command; items may be anything, to see what becomes of it. */
export const reserve = async (at: TestProducts, items: (ReserveItem | object)[], app?: App) =>
  (await command(at, 'reserve', items, app)) as ReserveOutcome[]

export const release = async (at: TestProducts, items: ReleaseItem[], app?: App) =>
  (await command(at, 'release', items, app)) as ReleaseOutcome[]

export type Levels = { stocked: number; reserved: number }

/** The levels of a product as stored, and as its movements sum up. */
export async function levelsOf(at: TestProducts, productId: string): Promise<Levels> {
  const [level] = await at.database.db.query<Levels>(
    'select stocked, reserved from stock where product_id = $1',
    [productId],
  )
  const [sums] = await at.database.db.query<Levels>(
    `select coalesce(sum(stocked_delta), 0) as stocked, coalesce(sum(reserved_delta), 0) as reserved
     from movements where product_id = $1`,
    [productId],
  )
  if (level === undefined || sums === undefined) throw new Error(`no stock of ${productId}`)
  if (level.stocked !== sums.stocked || level.reserved !== sums.reserved) {
    throw new Error(`levels ${JSON.stringify(level)} but movements ${JSON.stringify(sums)}`)
  }
  return level
}
