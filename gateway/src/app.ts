/** Owns the edge: one public origin, its limits, and one `fetch` that hands requests on to the services. */
import { limitedBody } from '@quartet/kit/body-limit'
import { Problem, problemResponse } from '@quartet/kit/problem'
import { createMetrics, metricsText } from '@quartet/kit/telemetry'
import type { App, World } from '@quartet/kit/world'
import { Hono } from 'hono'
import { readConfig, type Config } from './config.ts'
import { forward } from './forward.ts'
import { findTarget, SERVICE_OF } from './route-table.ts'

/** All that the gateway may touch. It has no database. */
export type GatewayWorld = Pick<World<Config>, 'config' | 'clock' | 'timers' | 'fetch' | 'log'>

/** What the HTTP server knows of a connection; absent where there is none. */
type Connection = { incoming?: { socket?: { remoteAddress?: string } } }

type Edge = Omit<App, 'fetch'> & {
  fetch: (request: Request, connection?: Connection) => Promise<Response>
}

type Env = { Bindings: Connection }

/** The gateway, for whoever runs it. */
export const gatewayService = { name: 'gateway', readConfig, createApp }

const MAX_BODY_BYTES = 256 * 1024

function createApp(world: GatewayWorld): Edge {
  let accepting = true
  const http = new Hono<Env>()
  addOwnRoutes(http, () => accepting)
  addMetrics(http, world)
  http.use('/api/*', limitedBody(MAX_BODY_BYTES))
  http.all('/api/*', (c) => {
    const target = findTarget(world.config, c.req.url)
    if (target === undefined) throw notFound()
    return forward(world, target, c.req.raw, c.env.incoming?.socket?.remoteAddress)
  })
  http.notFound((c) => problemResponse(notFound(), c.req.path))
  http.onError((error, c) => {
    if (error instanceof Problem) return problemResponse(error, c.req.path)
    world.log.error({ error, method: c.req.method }, 'a request failed unexpectedly')
    return problemResponse(new Problem('internal', 'Internal error'), c.req.path)
  })
  return {
    fetch: async (request, connection = {}) => http.fetch(request, connection),
    start: () => Promise.resolve(),
    stop() {
      accepting = false
      return Promise.resolve()
    },
  }
}

const notFound = () =>
  new Problem('not_found', 'Not found', { detail: 'GET / lists what is where.' })

function addOwnRoutes(http: Hono<Env>, accepting: () => boolean): void {
  const routes = Object.entries(SERVICE_OF).map(([step, service]) => [`/api/${step}`, service])
  http.get('/', (c) => c.json({ name: 'Quartet', routes: Object.fromEntries(routes) }))
  http.get('/health/live', (c) => c.json({ status: 'ok', service: 'gateway' }))
  http.get('/health/ready', (c) =>
    accepting()
      ? c.json({ status: 'ok', service: 'gateway' })
      : c.json({ status: 'stopping', service: 'gateway' }, 503),
  )
}

// Routes are labelled by their first step alone: ids and invented paths would make a series each.
function addMetrics(http: Hono<Env>, { clock, config }: GatewayWorld): void {
  const metrics = createMetrics('gateway')
  http.use('/api/*', async (c, next) => {
    const startedMs = clock.now()
    await next()
    const service = findTarget(config, c.req.url)?.service ?? 'none'
    const labels = { method: c.req.method, route: service, status: c.res.status }
    metrics.requests.observe(labels, (clock.now() - startedMs) / 1_000)
  })
  http.get('/metrics', async (c) =>
    c.text(await metricsText(metrics), 200, { 'content-type': metrics.registry.contentType }),
  )
}
