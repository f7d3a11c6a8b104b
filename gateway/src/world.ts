/** Owns building the gateway's real world, with or without a database of its own. */
import { createAuthenticator } from '@quartet/kit/auth'
import { createRealCrypto } from '@quartet/kit/crypto'
import { createIds } from '@quartet/kit/ids'
import { createKeySets } from '@quartet/kit/key-sets'
import { createLog } from '@quartet/kit/log'
import { migrate } from '@quartet/kit/migrate'
import { connectPostgres } from '@quartet/kit/postgres'
import { realRandom } from '@quartet/kit/random'
import { createBalancedFetch, type ReplicaMap } from '@quartet/kit/replicas'
import { realClock, realTimers } from '@quartet/kit/time'
import type { Fetch } from '@quartet/kit/world'
import type { GatewayWorld } from './app.ts'
import type { Config } from './config.ts'
import { createSharedCounts } from './limits/shared-counts.ts'
import { createStreamFetch } from './stream-fetch.ts'

export type RealGateway = {
  world: GatewayWorld
  /** Makes the tables and loads the keys; until then limits are local and by address. */
  prepare: () => Promise<void>
  setReplicas: (replicas: ReplicaMap) => void
}

/** `peers`: how services are reached, where not over HTTP. */
export function createGatewayWorld(config: Config, peers?: Fetch): RealGateway {
  const [clock, timers, random] = [realClock, realTimers, realRandom]
  const log = createLog('gateway', config.LOG_LEVEL)
  const balanced = createBalancedFetch(peers ?? createStreamFetch())
  const { fetch } = balanced
  const base = { config, log, clock, timers, random, fetch, ids: createIds(clock, random) }
  const url = config.DATABASE_URL
  if (url === undefined) {
    return { world: base, prepare: () => Promise.resolve(), setReplicas: balanced.setReplicas }
  }
  const db = connectPostgres({
    url,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: 'gateway',
    timers,
    random,
    log,
  })
  const withDb = { ...base, db, crypto: createRealCrypto() }
  const keySets = createKeySets(withDb, { users: config.USERS_URL })
  const authenticator = createAuthenticator(withDb, { audience: 'gateway', callers: [], keySets })
  return {
    world: { ...base, shared: createSharedCounts(db), authenticator },
    setReplicas: balanced.setReplicas,
    async prepare() {
      await migrate(url, new URL('../migrations/', import.meta.url))
      await keySets.start()
    },
  }
}
