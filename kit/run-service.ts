/** Owns the life of a service's process: config, migrations, start, readiness, signals, stop. */
import { collectDefaultMetrics } from 'prom-client'
import { ConfigError } from './config.ts'
import { migrate } from './migrate.ts'
import { createBalancedFetch, type ReplicaMap } from './replicas.ts'
import { listen } from './server.ts'
import { createWholeFetch } from './whole-fetch.ts'
import { endWhenAlone, listenToSupervisor, sayEnding, sayReady } from './supervised.ts'
import { realRandom } from './random.ts'
import { realClock, realTimers } from './time.ts'
import { closeWorld, createRealWorld, type App, type Service, type WorldConfig } from './world.ts'

type RunConfig = WorldConfig & { HOST: string; PORT: number }

const STOP_GRACE_MS = 3_000
/** Who chose this process before it was red may still be on the way. */
const DRAIN_LEAST_MS = 500
const DRAIN_GRACE_MS = 10_000
const DATABASE_RETRY_MS = 500

/** Runs a service in the real world until a signal ends it. Called once, by its `main.ts`. */
export async function runService<Config extends RunConfig>(
  service: Service<Config>,
): Promise<void> {
  endWhenAlone()
  collectDefaultMetrics()
  const config = readConfigOrExit(service)
  const peers = createBalancedFetch(createWholeFetch(), {
    clock: realClock,
    random: realRandom,
  })
  const world = await createRealWorld(service.name, config, peers.fetch)
  await migrateWhenReachable(service, config, (error) =>
    world.log.warn({ error }, 'the database cannot be brought up to date yet; trying again'),
  )
  await serveUntilSignal({
    app: service.createApp(world),
    host: config.HOST,
    port: config.PORT,
    onReplicas: peers.setReplicas,
    onStopped: () => closeWorld(world),
    onListening: (port) => world.log.info({ port }, 'listening'),
    onCrash: (error) => world.log.error({ error }, 'ended by an unexpected error'),
  })
}

/** The settings; wrong ones end the process with one sentence each and no stack: a person mends them. */
export function readConfigOrExit<Config>(service: { readConfig: () => Config }): Config {
  try {
    return service.readConfig()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}

type Running = {
  app: App
  host: string
  port: number
  onReplicas?: (replicas: ReplicaMap) => void
  onStopped?: () => Promise<void>
  onListening?: (port: number) => void
  onCrash?: (error: unknown) => void
}

/**
 * Starts an app, listens, tells the supervisor, and stops: on SIGTERM, or when the supervisor drains it,
 * after it has gone on for those who don't know yet, with readiness red; at once on SIGINT, or when the
 * supervisor is gone. Either way what runs may end.
 */
export async function serveUntilSignal({ app, ...options }: Running): Promise<void> {
  let stopping: Promise<void> | undefined
  let draining: Promise<void> | undefined
  endWhenAlone()
  await app.start()
  const server = await listen(
    withReadiness(app, () => draining === undefined),
    options,
  )
  const stop = async (graceMs: number) => {
    await app.stop()
    await server.close(graceMs)
    await options.onStopped?.()
    await sayEnding()
    process.exit(0)
  }
  const crash = (error: unknown) => {
    options.onCrash?.(error)
    process.exit(1)
  }
  const stopNow = () => void (stopping ??= stop(STOP_GRACE_MS).catch(crash))
  const drain = async () => {
    app.drain?.()
    await server.drain(DRAIN_LEAST_MS)
    stopping ??= stop(DRAIN_GRACE_MS)
    await stopping
  }
  const drainOnce = () => void (draining ??= drain().catch(crash))
  process.on('SIGTERM', drainOnce)
  process.on('SIGINT', stopNow)
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  listenToSupervisor({
    onReplicas: options.onReplicas ?? (() => {}),
    onConnection: server.take,
    onDrain: drainOnce,
    onAlone: stopNow,
  })
  sayReady(server.port)
  options.onListening?.(server.port)
}

// Red before the app itself stops: it still serves the connections that are open.
function withReadiness({ fetch }: App, isReady: () => boolean): App['fetch'] {
  const answer = (request: Request, ...rest: []) =>
    !isReady() && new URL(request.url).pathname === '/health/ready'
      ? Promise.resolve(Response.json({ status: 'stopping' }, { status: 503 }))
      : fetch(request, ...rest)
  return answer
}

// Not up yet, or full of connections; a migration that met the locks of those who work (55P03, 40P01).
const PASSING = /^(ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENETUNREACH|57P0|53300|55P03|40P01)/

// A database that isn't ready is waited for; a migration that fails ends the process.
async function migrateWhenReachable<Config extends RunConfig>(
  service: Service<Config>,
  config: Config,
  onWait: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    try {
      await migrate(config.DATABASE_URL, service.migrations)
      return
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (!PASSING.test(code)) throw error
      onWait(error)
      await realTimers.sleep(DATABASE_RETRY_MS)
    }
  }
}
