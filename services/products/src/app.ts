/** Owns the whole service: wires routes, commands, keys and events into one `fetch`. */
import { createAuthenticator } from '@quartet/kit/auth'
import { createSequencer } from '@quartet/kit/events'
import { createHttp } from '@quartet/kit/http'
import { startKeyRetention } from '@quartet/kit/idempotency'
import { createKeySets } from '@quartet/kit/key-sets'
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
  const http = createHttp(world, {
    name: 'products',
    title: 'Quartet products',
    description: 'Catalog and inventory. Reading needs no token; writing needs an admin.',
    accepting: () => accepting,
  })
  const keySets = createKeySets(world, { users: config.USERS_URL, orders: config.ORDERS_URL })
  const authenticator = createAuthenticator(world, {
    audience: 'products',
    callers: ['orders'],
    keySets,
  })
  const sequencer = createSequencer(world)
  addRoutes(http, { world, authenticator, sequencer, desk: createDesk(world, sequencer) })
  return {
    fetch: async (request) => http.fetch(request),
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
