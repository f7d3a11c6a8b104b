/** Owns the whole service: wires accounts, sessions and keys into one `fetch`. */
import { admit, type Kind } from '@quartet/kit/admission'
import { ACCESS_TOKEN_ISSUER } from '@quartet/kit/auth'
import { createEventing } from '@quartet/kit/eventing'
import { createHttp } from '@quartet/kit/http'
import { startKeyRetention } from '@quartet/kit/idempotency'
import { createKeySets, type KeySets } from '@quartet/kit/key-sets'
import { createMetrics } from '@quartet/kit/telemetry'
import type { App, Service, World } from '@quartet/kit/world'
import { createAccess } from './access.ts'
import { bootstrapAdmin } from './bootstrap.ts'
import { readConfig, type Config } from './config.ts'
import { createCredentials } from './passwords/credentials.ts'
import { createKeyRing } from './keys/key-ring.ts'
import { addGuestRoutes } from './guests/routes.ts'
import { startRetention } from './sessions/retention.ts'
import { addUserRoutes } from './routes.ts'
import { addSessionRoutes } from './sessions/routes.ts'
import { createTokens } from './sessions/tokens.ts'

/** Users, for whoever runs it. */
export const usersService: Service<Config> = {
  name: 'users',
  readConfig,
  migrations: new URL('../migrations/', import.meta.url),
  createApp,
}

function createApp(world: World<Config>): App {
  let accepting = true
  const metrics = createMetrics('users')
  const http = createHttp(world, {
    name: 'users',
    title: 'Quartet users',
    description: 'Accounts, sessions and the keys that sign access tokens.',
    accepting: () => accepting,
    metrics,
  })
  const ring = createKeyRing(world)
  const { PRODUCTS_URL, ORDERS_URL, PAYMENTS_URL } = world.config
  const services = createKeySets(world, {
    products: PRODUCTS_URL,
    orders: ORDERS_URL,
    payments: PAYMENTS_URL,
  })
  const access = createAccess(world, ownAnd(ring.keySets, services))
  const credentials = createCredentials(world)
  const eventing = createEventing(world, http, { name: 'users', authenticator: access, metrics })
  const { sequencer } = eventing
  const tokens = createTokens(world, ring)
  addUserRoutes(http, { world, access, credentials, sequencer })
  addGuestRoutes(http, { world, access, credentials, sequencer, tokens })
  addSessionRoutes(http, { world, access, credentials, ring, tokens })
  const stops: (() => void)[] = []
  const door = { targetMs: world.config.ADMISSION_TARGET_MS, kindOf, metrics }
  return {
    fetch: admit(async (request) => http.fetch(request), world, door),
    async start() {
      await ring.start()
      await bootstrapAdmin(world, credentials)
      await services.start()
      eventing.start()
      stops.push(startKeyRetention(world), startRetention(world, credentials.accountOf), ring.stop)
    },
    drain: eventing.drain,
    async stop() {
      accepting = false
      for (const stop of stops) stop()
      await eventing.stop()
    },
  }
}

// People's tokens are signed here; those of services by themselves.
const ownAnd = (own: KeySets, others: KeySets): Pick<KeySets, 'find'> => ({
  find: (issuer, kid) => (issuer === ACCESS_TOKEN_ISSUER ? own : others).find(issuer, kid),
})

// Logging in has a queue of its own: hashing is what is scarce there.
const kindOf = (method: string, path: string): Kind | undefined =>
  method === 'GET' && path.startsWith('/users') ? 'browsing' : undefined
