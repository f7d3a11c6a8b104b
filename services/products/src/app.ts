/** Owns the whole service: wires routes, commands, keys and events into one `fetch`. */
import { admit, type Kind } from '@quartet/kit/admission'
import { createAuthenticator } from '@quartet/kit/auth'
import { createSequencer } from '@quartet/kit/events'
import { createHttp } from '@quartet/kit/http'
import { startKeyRetention } from '@quartet/kit/idempotency'
import { createKeySets } from '@quartet/kit/key-sets'
import { createMetrics } from '@quartet/kit/telemetry'
import type { App, Service, World } from '@quartet/kit/world'
import { createDesk } from './commands/desk.ts'
import { readConfig, type Config } from './config.ts'
import { addRoutes } from './routes.ts'

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
  const authenticator = createAuthenticator(world, {
    audience: 'products',
    callers: ['orders'],
    keySets,
  })
  const sequencer = createSequencer(world)
  addRoutes(http, { world, authenticator, sequencer, desk: createDesk(world, sequencer) })
  const door = { targetMs: world.config.ADMISSION_TARGET_MS, kindOf, metrics }
  return {
    fetch: admit(async (request) => http.fetch(request), world, door),
    async start() {
      await keySets.start()
      sequencer.start()
      stopRetention = startKeyRetention(world)
    },
    async stop() {
      accepting = false
      stopRetention()
      await sequencer.stop()
    },
  }
}

// Commands are never shed: whoever sends them has promised an order (rule 13).
const kindOf = (method: string, path: string): Kind | undefined =>
  method === 'GET' && path.startsWith('/products') ? 'browsing' : undefined
