/** Owns the whole service: wires routes, commands, the provider, the sweep, keys and events into one `fetch`. */
import { admit, type Kind } from '@quartet/kit/admission'
import { createAuthenticator, createServiceSigner } from '@quartet/kit/auth'
import { publicHalf } from '@quartet/kit/crypto'
import { createErasure } from '@quartet/kit/erasure'
import { createEventing } from '@quartet/kit/eventing'
import { createHttp } from '@quartet/kit/http'
import { startKeyRetention } from '@quartet/kit/idempotency'
import { createKeySets } from '@quartet/kit/key-sets'
import { createMetrics } from '@quartet/kit/telemetry'
import type { App, Service, World } from '@quartet/kit/world'
import { createDesk } from './commands/desk.ts'
import { readConfig, type Config } from './config.ts'
import { addLedgerRoutes } from './ledger-routes.ts'
import { usersSubscription } from './events.ts'
import { createProviderClient } from './provider.ts'
import { addRefundRoutes } from './refund-routes.ts'
import { addRoutes } from './routes.ts'
import { forgetPayments } from './store/erased-owners.ts'
import { createSweep } from './sweep.ts'
import { addWebhookRoutes } from './webhook-routes.ts'
import { createWorker } from './work.ts'

/** Payments, for whoever runs it. */
export const paymentsService: Service<Config> = {
  name: 'payments',
  readConfig,
  migrations: new URL('../migrations/', import.meta.url),
  createApp,
}

function createApp(world: World<Config>): App {
  const { config } = world
  let accepting = true
  let stopRetention = () => {}
  const metrics = createMetrics('payments')
  const http = createHttp(world, {
    name: 'payments',
    title: 'Quartet payments',
    description:
      'Payments, refunds and the ledger. Log in at the users service for a bearer token.',
    accepting: () => accepting,
    metrics,
  })
  const keySets = createKeySets(world, { users: config.USERS_URL, orders: config.ORDERS_URL })
  const erasure = createErasure(world, forgetPayments)
  const authenticator = createAuthenticator(world, {
    audience: 'payments',
    callers: ['orders'],
    keySets,
    isErased: erasure.has,
  })
  const sign = createServiceSigner(world, 'payments', config.SERVICE_KEY_FILE)
  const eventing = createEventing(world, http, {
    name: 'payments',
    authenticator,
    metrics,
    subscriptions: [usersSubscription(erasure, config.USERS_URL, (scope) => sign('users', scope))],
  })
  const { sequencer } = eventing
  const onPutOff = (until: Date) => sweep.wakeAt(until)
  const worker = createWorker(world, createProviderClient(world), { sequencer, onPutOff })
  const sweep = createSweep(world, worker)
  http.get('/.well-known/jwks.json', (c) => c.json({ keys: [publicHalf(config.SERVICE_KEY_FILE)] }))
  addRoutes(http, { world, authenticator, worker, desk: createDesk(world, worker) })
  addRefundRoutes(http, { world, authenticator, worker })
  addLedgerRoutes(http, { world, authenticator })
  addWebhookRoutes(http, { world, worker, metrics })
  const door = { targetMs: world.config.ADMISSION_TARGET_MS, kindOf, metrics }
  return {
    fetch: admit(async (request) => http.fetch(request), world, door),
    async start() {
      await keySets.start()
      await erasure.start()
      eventing.start()
      sweep.start()
      stopRetention = startKeyRetention(world)
    },
    drain: eventing.drain,
    async stop() {
      accepting = false
      stopRetention()
      await sweep.stop()
      await eventing.stop()
      await erasure.stop()
    },
  }
}

// Commands are never shed: whoever sends them has promised an order (rule 13).
const kindOf = (method: string, path: string): Kind | undefined =>
  method === 'GET' && /^\/(payments|ledger)/.test(path) ? 'browsing' : undefined
