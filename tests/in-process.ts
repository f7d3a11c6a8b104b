/** Owns the four services in one process, on any PostgreSQL: they call each other's `fetch`, no port is open. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Broker } from '@quartet/kit/broker'
import { createRealCrypto } from '@quartet/kit/crypto'
import { silentLog } from '@quartet/kit/log'
import { realRandom } from '@quartet/kit/random'
import {
  createTestClock,
  createTestDatabase,
  createTestNetwork,
  createTestWorld,
  whileAdvancing,
  type TestClock,
} from '@quartet/kit/testing'
import type { App, Fetch, Service } from '@quartet/kit/world'
import { ordersService } from '@quartet/orders/app'
import { paymentsService } from '@quartet/payments/app'
import { productsService } from '@quartet/products/app'
import { usersService } from '@quartet/users/app'
import { createProvider } from '../tools/provider/app.ts'

const API_KEY = 'sk_test_0123456789abcdef'
const WEBHOOK_SECRET = 'whsec_0123456789abcdef'
const ADMIN = { email: 'admin@example.com', password: 'an-admin-of-tests' }
const PEERS = {
  USERS_URL: 'http://users.test',
  PRODUCTS_URL: 'http://products.test',
  ORDERS_URL: 'http://orders.test',
  PAYMENTS_URL: 'http://payments.test',
  PROVIDER_URL: 'http://provider.test',
}

type Fetches = Record<string, (request: Request) => Promise<Response>>

/** Opens the services on databases of their own, which `close` drops; on a broker, where one is given. */
export async function openInProcess(
  brokerOf: (service: string) => Broker | undefined = () => undefined,
) {
  const folder = mkdtempSync(path.join(tmpdir(), 'quartet-in-process-'))
  const settings = await makeSettings(folder)
  const clock = createTestClock()
  const fetches: Fetches = {}
  const databaseUrls: Record<string, string> = {}
  const ends: (() => Promise<void>)[] = []
  const provider = newProvider(folder, clock, createTestNetwork(fetches))
  await provider.start()
  fetches[PEERS.PROVIDER_URL] = provider.fetch

  async function open<Config>(service: Service<Config>): Promise<App> {
    const database = await createTestDatabase(service)
    databaseUrls[service.name] = database.url
    const config = service.readConfig({ ...settings, DATABASE_URL: database.url })
    const fetch = createTestNetwork(fetches)
    const broker = brokerOf(service.name)
    const world = createTestWorld({
      config,
      db: database.db,
      clock,
      fetch,
      ...(broker && { broker }),
    })
    const app = service.createApp(world)
    fetches[`http://${service.name}.test`] = app.fetch
    ends.unshift(async () => {
      await app.stop()
      await broker?.close()
      await database.drop()
    })
    await app.start()
    return app
  }

  await open(usersService)
  await open(ordersService)
  await open(productsService)
  await open(paymentsService)
  return {
    admin: ADMIN,
    clock,
    /** By the name of the service. */
    databaseUrls,
    provider: { url: PEERS.PROVIDER_URL, apiKey: API_KEY },
    /** A request to any of them while the clock stands still. */
    fetchNow: createTestNetwork(fetches),
    /** A request to `http://<service>.test/…`, while the clock goes on. */
    fetch: (url: string, init?: RequestInit) =>
      whileAdvancing(clock, createTestNetwork(fetches)(url, init)),
    async close() {
      for (const end of ends) await whileAdvancing(clock, end())
      await provider.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const newProvider = (folder: string, clock: TestClock, fetch: Fetch) =>
  createProvider({
    dataFile: path.join(folder, 'record.jsonl'),
    apiKey: API_KEY,
    clock,
    timers: clock.timers,
    random: realRandom,
    log: silentLog,
    publicUrl: PEERS.PROVIDER_URL,
    webhooks: {
      url: `${PEERS.PAYMENTS_URL}/webhooks/simulated`,
      secrets: [WEBHOOK_SECRET],
      fetch,
    },
  })

async function makeSettings(folder: string) {
  const file = (name: string, text: string) => {
    const where = path.join(folder, name)
    writeFileSync(where, text, { mode: 0o600 })
    return where
  }
  const signingKey = await createRealCrypto().newSigningKey()
  return {
    ...PEERS,
    KEY_ENCRYPTION_SECRET_FILE: file('secret', Buffer.alloc(32, 7).toString('base64url')),
    BOOTSTRAP_ADMIN_EMAIL: ADMIN.email,
    BOOTSTRAP_ADMIN_PASSWORD_FILE: file('password', ADMIN.password),
    SERVICE_KEY_FILE: file('key.json', JSON.stringify(signingKey)),
    PROVIDER_API_KEY_FILE: file('api-key', API_KEY),
    WEBHOOK_SECRET_FILE: file('webhook-secret', WEBHOOK_SECRET),
  }
}
