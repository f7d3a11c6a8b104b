/** Owns the whole service: wires routes, commands, keys and events into one `fetch`. */
import { admit, type Kind } from '@quartet/kit/admission'
import { createAuthenticator, createServiceSigner } from '@quartet/kit/auth'
import { publicHalf } from '@quartet/kit/crypto'
import { createErasure } from '@quartet/kit/erasure'
import { createEventing } from '@quartet/kit/eventing'
import { createHttp } from '@quartet/kit/http'
import { startKeyRetention } from '@quartet/kit/idempotency'
import { createKeySets } from '@quartet/kit/key-sets'
import { createMetrics, type Metrics } from '@quartet/kit/telemetry'
import type { App, Service, World } from '@quartet/kit/world'
import { createDesk } from './commands/desk.ts'
import { readConfig, type Config } from './config.ts'
import { ordersSubscription, usersSubscription } from './events.ts'
import { addRoutes } from './routes.ts'
import { createShelf, type Shelf } from './shelf.ts'

/** Products, for whoever runs it. */
export const productsService: Service<Config> = {
  name: 'products',
  readConfig,
  migrations: new URL('../migrations/', import.meta.url),
  createApp,
}

function createApp(world: World<Config>): App {
  const { config } = world
  let accepting = true
  let stopRetention = () => {}
  const metrics = createMetrics('products')
  const http = createHttp(world, {
    name: 'products',
    title: 'Quartet products',
    description: 'Catalog and inventory. Reading needs no token; writing needs an admin.',
    accepting: () => accepting,
    metrics,
  })
  const keySets = createKeySets(world, { users: config.USERS_URL, orders: config.ORDERS_URL })
  const erasure = createErasure(world)
  const authenticator = createAuthenticator(world, {
    audience: 'products',
    callers: ['orders'],
    keySets,
    isErased: erasure.has,
  })
  const sign = createServiceSigner(world, 'products', config.SERVICE_KEY_FILE)
  const eventing = createEventing(world, http, {
    name: 'products',
    authenticator,
    metrics,
    subscriptions: [
      ordersSubscription(world, config.ORDERS_URL, (scope) => sign('orders', scope)),
      usersSubscription(erasure, config.USERS_URL, (scope) => sign('users', scope)),
    ],
  })
  const { sequencer } = eventing
  http.get('/.well-known/jwks.json', (c) => c.json({ keys: [publicHalf(config.SERVICE_KEY_FILE)] }))
  const shelf = createShelf(world)
  const desk = createDesk(world, sequencer, shelf)
  addRoutes(http, { world, authenticator, sequencer, desk, shelf })
  const door = { targetMs: world.config.ADMISSION_TARGET_MS, kindOf, metrics }
  return {
    fetch: fromShelf(
      shelf,
      metrics,
      admit(async (request) => http.fetch(request), world, door),
    ),
    async start() {
      await keySets.start()
      await erasure.start()
      eventing.start()
      stopRetention = startKeyRetention(world)
    },
    drain: eventing.drain,
    async stop() {
      accepting = false
      stopRetention()
      await eventing.stop()
      await erasure.stop()
    },
  }
}

const PRODUCT = /^[^:]+:\/\/[^/]+\/products\/([A-Za-z0-9_-]{1,64})$/

// What was answered a moment ago is answered again before anything else looks at the request: it
// costs less than shedding it would.
function fromShelf(shelf: Shelf, { requests }: Metrics, fetch: App['fetch']): App['fetch'] {
  const labels = { method: 'GET', route: '/products/:id', status: 200 }
  return (request) => {
    const id = request.method === 'GET' ? PRODUCT.exec(request.url)?.[1] : undefined
    const answer = id === undefined ? undefined : shelf.answer(id)
    if (answer === undefined) return fetch(request)
    requests.observe(labels, 0)
    return Promise.resolve(new Response(answer.body, { headers: answer.headers }))
  }
}

// Commands are never shed: whoever sends them has promised an order (rule 13).
const kindOf = (method: string, path: string): Kind | undefined =>
  method === 'GET' && path.startsWith('/products') ? 'browsing' : undefined
