/** Owns the whole service: wires routes, checkout, keys and events into one `fetch`. */
import { admit, type Kind } from '@quartet/kit/admission'
import { createAuthenticator, createServiceSigner } from '@quartet/kit/auth'
import { publicHalf } from '@quartet/kit/crypto'
import { createErasure, type Erasure } from '@quartet/kit/erasure'
import { createEventStreams } from '@quartet/kit/event-stream'
import { createEventing } from '@quartet/kit/eventing'
import { createHttp } from '@quartet/kit/http'
import { createKeySets } from '@quartet/kit/key-sets'
import { createMetrics, gauge } from '@quartet/kit/telemetry'
import type { App, Service, World } from '@quartet/kit/world'
import { createCheckout } from './checkout/checkout.ts'
import { createPeers } from './checkout/peers.ts'
import { readConfig, type Config } from './config.ts'
import { paymentsSubscription, usersSubscription } from './events.ts'
import { addRoutes } from './routes.ts'
import { forgetOrders } from './store/erased-owners.ts'

/** Orders, for whoever runs it. */
export const ordersService: Service<Config> = {
  name: 'orders',
  readConfig,
  migrations: new URL('../migrations/', import.meta.url),
  createApp,
}

function createApp(world: World<Config>): App {
  const { config } = world
  let accepting = true
  const metrics = createMetrics('orders')
  const http = createHttp(world, {
    name: 'orders',
    title: 'Quartet orders',
    description: 'Orders and the checkout saga. Log in at the users service for a bearer token.',
    accepting: () => accepting,
    metrics,
  })
  const keySets = createKeySets(world, { users: config.USERS_URL, products: config.PRODUCTS_URL })
  const erasure = createErasure(world, forgetOrders)
  const authenticator = createAuthenticator(world, {
    audience: 'orders',
    callers: ['products'],
    keySets,
    isErased: erasure.has,
  })
  const sign = createServiceSigner(world, 'orders', config.SERVICE_KEY_FILE)
  const eventing = createEventing(world, http, {
    name: 'orders',
    authenticator,
    metrics,
    subscriptions: subscriptionsOf(world, { erasure, sign, wake: () => checkout.wake() }),
  })
  const checkout = createCheckout(world, createPeers(world, sign, metrics), eventing.sequencer)
  gauge(metrics, 'orders_open', 'Orders under way, as last counted.', checkout.openOrders)
  http.get('/.well-known/jwks.json', (c) => c.json({ keys: [publicHalf(config.SERVICE_KEY_FILE)] }))
  const streams = createEventStreams(world)
  gauge(metrics, 'event_streams_open', 'Streams of events that are open.', streams.count)
  addRoutes(http, { world, authenticator, checkout, streams, tail: eventing.tail })
  const door = { targetMs: world.config.ADMISSION_TARGET_MS, kindOf, metrics }
  return {
    fetch: admit(async (request) => http.fetch(request), world, door),
    async start() {
      await keySets.start()
      await erasure.start()
      eventing.start()
      checkout.start()
    },
    drain() {
      streams.stop()
      eventing.drain()
    },
    async stop() {
      accepting = false
      streams.stop()
      await checkout.stop()
      await eventing.stop()
      await erasure.stop()
    },
  }
}

type Reading = { erasure: Erasure; sign: ReturnType<typeof createServiceSigner>; wake: () => void }

const subscriptionsOf = (world: World<Config>, { erasure, sign, wake }: Reading) => [
  paymentsSubscription(world, {
    baseUrl: world.config.PAYMENTS_URL,
    token: (scope) => sign('payments', scope),
    wake,
  }),
  usersSubscription(erasure, world.config.USERS_URL, (scope) => sign('users', scope)),
]

// What ends work, or asks how it stands, is let in always; so is a stream, which has limits of its own.
function kindOf(method: string, path: string): Kind | undefined {
  if (path !== '/orders') return undefined
  if (method === 'POST') return 'work'
  return method === 'GET' ? 'browsing' : undefined
}
