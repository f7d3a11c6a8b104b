/** Owns the life of a service's process: config, migrations, start, readiness, signals, stop. */
import { collectDefaultMetrics } from 'prom-client'
import { ConfigError } from './config.ts'
import { migrate } from './migrate.ts'
import { listen } from './server.ts'
import { realTimers } from './time.ts'
import { createRealWorld, type App, type Service, type WorldConfig } from './world.ts'

type RunConfig = WorldConfig & { HOST: string; PORT: number }

const STOP_GRACE_MS = 3_000
const DATABASE_RETRY_MS = 500

/** Runs a service in the real world until a signal ends it. Called once, by its `main.ts`. */
export async function runService<Config extends RunConfig>(
  service: Service<Config>,
): Promise<void> {
  collectDefaultMetrics()
  const config = readConfigOrExit(service)
  const world = createRealWorld(service.name, config)
  await migrateWhenReachable(service, config, (error) =>
    world.log.warn({ error }, 'the database does not answer yet; trying again'),
  )
  await serveUntilSignal({
    app: service.createApp(world),
    host: config.HOST,
    port: config.PORT,
    onStopped: () => world.db.close(),
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
  onStopped?: () => Promise<void>
  onListening?: (port: number) => void
  onCrash?: (error: unknown) => void
}

/** Starts an app, listens, tells the supervisor, and stops on SIGTERM, SIGINT or when the supervisor is gone. */
export async function serveUntilSignal({ app, ...options }: Running): Promise<void> {
  let stopping = false
  await app.start()
  const server = await listen(app.fetch, options)
  const stop = async () => {
    if (stopping) return
    stopping = true
    await app.stop()
    await server.close(STOP_GRACE_MS)
    await options.onStopped?.()
    process.exit(0)
  }
  const crash = (error: unknown) => {
    options.onCrash?.(error)
    process.exit(1)
  }
  const stopOrCrash = () => void stop().catch(crash)
  process.on('SIGTERM', stopOrCrash)
  process.on('SIGINT', stopOrCrash)
  process.on('disconnect', stopOrCrash) // the supervisor was killed
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  process.send?.({ type: 'ready' })
  options.onListening?.(server.port)
}

// A database that isn't up yet is waited for; a migration that fails ends the process.
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
      if (!/^(ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENETUNREACH|57P0|53300)/.test(code))
        throw error
      onWait(error)
      await realTimers.sleep(DATABASE_RETRY_MS)
    }
  }
}
