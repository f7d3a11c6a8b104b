/** Owns what a service may touch: its world, and the one place that builds the real one. */
import { openBroker, type Broker, type BrokerConfig } from './broker.ts'
import { createRealCrypto, type Crypto } from './crypto.ts'
import { createIds, type Ids } from './ids.ts'
import { createLog, type Log } from './log.ts'
import { connectPostgres, type Database } from './postgres.ts'
import { realRandom, type Random } from './random.ts'
import { realClock, realTimers, type Clock, type Timers } from './time.ts'

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>

/** All that a service may touch (decisions/004). Values that SQL needs (time, ids) pass through it too. */
export type World<Config> = {
  config: Config
  db: Database
  clock: Clock
  timers: Timers
  random: Random
  ids: Ids
  crypto: Crypto
  /** HTTP to peers. */
  fetch: Fetch
  /** Carries events where there is one; the feed does where there is none. */
  broker?: Broker | undefined
  log: Log
}

/** A whole service: `fetch` answers every request; `start` begins background work, `stop` ends it. */
export type App = {
  fetch: (request: Request) => Promise<Response>
  start: () => Promise<void>
  /** Another replica takes over: ends answers that last or wait, and goes on with all else until `stop`. */
  drain?: () => void
  /** Turns `/health/ready` red and takes no new background work; what runs may end. */
  stop: () => Promise<void>
}

/** What a service's `app.ts` exports, so that one runner, the tests and `--one-process` can open it. */
export type Service<Config> = {
  name: string
  readConfig: (env?: NodeJS.ProcessEnv) => Config
  /** Folder of the service's own `NNNN.do.what.sql` files. */
  migrations: URL
  createApp: (world: World<Config>) => App
}

/** What the real world needs to know of a service. */
export type WorldConfig = BrokerConfig & {
  DATABASE_URL: string
  DATABASE_POOL_SIZE: number
  LOG_LEVEL: string
}

/** Builds the real world: real clock, timers, randomness, PostgreSQL, `fetch`, broker and log. */
export async function createRealWorld<Config extends WorldConfig>(
  name: string,
  config: Config,
  peers: Fetch = (url, init) => fetch(url, init),
): Promise<World<Config>> {
  const log = createLog(name, config.LOG_LEVEL)
  const db = connectPostgres({
    url: config.DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    applicationName: name,
    timers: realTimers,
    random: realRandom,
    log,
  })
  return {
    config,
    db,
    clock: realClock,
    timers: realTimers,
    random: realRandom,
    ids: createIds(realClock, realRandom),
    crypto: createRealCrypto(),
    fetch: peers,
    broker: await openBroker(name, config),
    log,
  }
}

/** Closes what a real world holds open. */
export async function closeWorld({ broker, db }: Pick<World<unknown>, 'broker' | 'db'>) {
  await broker?.close()
  await db.close()
}
