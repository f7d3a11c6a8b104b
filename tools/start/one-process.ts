/** Owns `--one-process`: the four services as one process, calling each other's `fetch` directly. */
import { migrate } from '@quartet/kit/migrate'
import { listen, type HttpServer } from '@quartet/kit/server'
import { createRealWorld } from '@quartet/kit/world'
import type { App, Fetch, Service, World, WorldConfig } from '@quartet/kit/world'
import { ENVIRONMENTS } from './environment.ts'
import { SERVICES, type ServiceName } from './plan.ts'

type Config = WorldConfig & { HOST: string; PORT: number }
type Opened = { name: ServiceName; app: App; world: World<Config>; server?: HttpServer }

const STOP_GRACE_MS = 1_000
// What drives orders stops before those it calls on the way.
const STOP_ORDER: ServiceName[] = ['orders', 'users', 'products', 'payments']

async function main(): Promise<void> {
  const environments = JSON.parse(process.env[ENVIRONMENTS] ?? '{}') as Record<
    string,
    NodeJS.ProcessEnv
  >
  const apps = new Map<string, App>()
  const opened = await Promise.all(
    SERVICES.map((name) => open(name, environments[name] ?? {}, directFetch(apps))),
  )
  for (const { app, world } of opened) apps.set(originOf(world.config), app)
  for (const service of opened) {
    await service.app.start()
    const { HOST: host, PORT: port } = service.world.config
    service.server = await listen(service.app.fetch, { host, port })
  }
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    void stopAll(opened).then(() => process.exit(0))
  }
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, stop)
  process.send?.({ type: 'ready' })
}

async function open(name: ServiceName, env: NodeJS.ProcessEnv, peers: Fetch): Promise<Opened> {
  const service = await load(name)
  const config = service.readConfig(env)
  await migrate(config.DATABASE_URL, service.migrations)
  const world = createRealWorld(name, config, peers)
  return { name, world, app: service.createApp(world) }
}

async function load(name: ServiceName): Promise<Service<Config>> {
  const module = (await import(`@quartet/${name}/app`)) as Record<string, Service<Config>>
  const service = module[`${name}Service`]
  if (service === undefined) throw new Error(`@quartet/${name}/app exports no ${name}Service`)
  return service
}

const originOf = ({ PORT }: Config) => `http://127.0.0.1:${PORT}`

// Another service in this process is a function call away; everybody else is reached over HTTP.
function directFetch(apps: ReadonlyMap<string, App>): Fetch {
  return (url, init) => {
    const app = apps.get(new URL(url).origin)
    if (app === undefined) return fetch(url, init)
    return Promise.race([app.fetch(new Request(url, init)), rejectOnAbort(init?.signal)])
  }
}

function rejectOnAbort(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')), {
      once: true,
    })
  })
}

async function stopAll(opened: Opened[]): Promise<void> {
  for (const name of STOP_ORDER) {
    const service = opened.find((other) => other.name === name)
    await service?.app.stop()
    await service?.server?.close(STOP_GRACE_MS)
  }
  await Promise.all(opened.map(({ world }) => world.db.close()))
}

if (import.meta.main) await main()
