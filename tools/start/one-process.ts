/** Owns `--one-process`: services and gateway as one process, calling each other's `fetch` directly. */
import { gatewayService } from '@quartet/gateway/app'
import { createGatewayWorld } from '@quartet/gateway/world'
import { migrate } from '@quartet/kit/migrate'
import { listen, type HttpServer } from '@quartet/kit/server'
import { sayReady } from '@quartet/kit/supervised'
import { closeWorld, createRealWorld } from '@quartet/kit/world'
import type { App, Fetch, Service, WorldConfig } from '@quartet/kit/world'
import { ordersService } from '@quartet/orders/app'
import { paymentsService } from '@quartet/payments/app'
import { productsService } from '@quartet/products/app'
import { usersService } from '@quartet/users/app'
import { ENVIRONMENTS } from './environment.ts'
import type { ServiceName } from './plan.ts'

type Config = WorldConfig & { HOST: string; PORT: number }
type PartName = ServiceName | 'gateway'
type Part = {
  name: string
  app: App
  config: Pick<Config, 'HOST' | 'PORT'>
  /** After the app has stopped and its socket is closed. */
  close: () => Promise<void>
}

const STOP_GRACE_MS = 700
// New work is cut off first, then what drives orders, then those it calls on the way.
const STOP_ORDER: PartName[] = ['gateway', 'orders', 'users', 'products', 'payments']

async function main(): Promise<void> {
  const environments = JSON.parse(process.env[ENVIRONMENTS] ?? '') as Record<
    PartName,
    NodeJS.ProcessEnv
  >
  const apps = new Map<string, App>()
  const peers = directFetch(apps)
  const parts = await Promise.all([
    openService(usersService, environments.users, peers),
    openService(productsService, environments.products, peers),
    openService(ordersService, environments.orders, peers),
    openService(paymentsService, environments.payments, peers),
  ])
  parts.push(await openGateway(environments.gateway, peers))
  for (const { app, config } of parts) apps.set(`http://127.0.0.1:${config.PORT}`, app)
  const servers = new Map<string, HttpServer>()
  for (const { name, app, config } of parts) {
    await app.start()
    servers.set(name, await listen(app.fetch, { host: config.HOST, port: config.PORT }))
  }
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    void stopAll(parts, servers).then(() => process.exit(0))
  }
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, stop)
  sayReady(0)
}

async function openService<C extends Config>(
  service: Service<C>,
  env: NodeJS.ProcessEnv,
  peers: Fetch,
): Promise<Part> {
  const config = service.readConfig(env)
  await migrate(config.DATABASE_URL, service.migrations)
  const world = await createRealWorld(service.name, config, peers)
  return {
    name: service.name,
    config,
    app: service.createApp(world),
    close: () => closeWorld(world),
  }
}

async function openGateway(env: NodeJS.ProcessEnv, peers: Fetch): Promise<Part> {
  const { world, prepare } = createGatewayWorld(gatewayService.readConfig(env), peers)
  await prepare()
  const app = gatewayService.createApp(world)
  return { name: 'gateway', config: world.config, app, close: () => Promise.resolve() }
}

// What runs in this process is a function call away; everybody else is reached over HTTP.
function directFetch(apps: ReadonlyMap<string, App>): Fetch {
  return (url, init) => {
    const app = apps.get(new URL(url).origin)
    if (app === undefined) return fetch(url, init)
    return Promise.race([app.fetch(new Request(url, init)), rejectOnAbort(init?.signal)])
  }
}

function rejectOnAbort(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = () => reject(new DOMException('aborted', 'AbortError'))
    signal?.addEventListener('abort', abort, { once: true })
  })
}

async function stopAll(parts: Part[], servers: ReadonlyMap<string, HttpServer>): Promise<void> {
  for (const name of STOP_ORDER) {
    const part = parts.find((other) => other.name === name)
    await part?.app.stop()
    await servers.get(name)?.close(STOP_GRACE_MS)
    await part?.close()
  }
}

await main()
