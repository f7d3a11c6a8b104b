/** Owns the edge: one public origin, its limits and sessions, and one `fetch` that hands requests on to the services. */
import type { Authenticator } from '@quartet/kit/auth'
import { problemResponse } from '@quartet/kit/problem'
import { createMetrics, metricsText, type Metrics } from '@quartet/kit/telemetry'
import type { App, World } from '@quartet/kit/world'
import { Hono } from 'hono'
import { toResponse, toWholeAnswer } from './answer.ts'
import { createApi } from './api.ts'
import { createCookies } from './browser/cookies.ts'
import { addBrowserRoutes } from './browser/routes.ts'
import { createSessions } from './browser/session.ts'
import { readConfig, type Config } from './config.ts'
import { createEventStreams } from './event-streams.ts'
import { nameRequest, protect, protectPage, type RequestNames } from './headers.ts'
import { clientAddress } from './limits/client-address.ts'
import { createCounter, type SharedCounts } from './limits/counter.ts'
import { createLimits } from './limits/limits.ts'
import { explain, notFound } from './problems.ts'
import { SERVICE_OF } from './route-table.ts'
import { createServices } from './services.ts'
import { createWebPages } from './web/pages.ts'

/** All that the gateway may touch. */
export type GatewayWorld = Pick<
  World<Config>,
  'config' | 'clock' | 'timers' | 'fetch' | 'log' | 'ids' | 'random'
> & {
  /** Counts that replicas share, and who verifies tokens: both stand in the gateway's own database. */
  shared?: SharedCounts
  authenticator?: Authenticator
}

/** What the HTTP server knows of a connection; absent where there is none. */
type Connection = { incoming?: { socket?: { remoteAddress?: string } } }

type Edge = Omit<App, 'fetch'> & {
  fetch: (request: Request, connection?: Connection) => Promise<Response>
}

/** What the gateway's own pages are told of a request. */
export type Env = { Bindings: { names: RequestNames; address: string } }

/** The gateway, for whoever runs it. */
export const gatewayService = { name: 'gateway', readConfig, createApp }

function createApp(world: GatewayWorld): Edge {
  let accepting = true
  const { config } = world
  const publicOrigin = new URL(config.PUBLIC_URL).origin
  const isHttps = publicOrigin.startsWith('https:')
  const metrics = createMetrics('gateway')
  const services = createServices(world, metrics)
  const limits = createLimits(world, createCounter(world, world.shared), world.authenticator)
  const cookies = createCookies(isHttps)
  const sessions = createSessions(world, cookies, services.askUsers)
  const pages = createPages(world, metrics, () => accepting)
  addBrowserRoutes(pages, { limits, sessions, askUsers: services.askUsers, publicOrigin })
  const streams = createEventStreams()
  const webPages = createWebPages(config.WEB_ROOT ?? new Map())
  const api = createApi(world, { metrics, services, limits, sessions, cookies, publicOrigin })
  return {
    async fetch(request, { incoming } = {}) {
      const names = nameRequest(request.headers, world)
      const forwardedFor = request.headers.get('x-forwarded-for')
      const peer = incoming?.socket?.remoteAddress
      const address = clientAddress(peer, forwardedFor, config.TRUSTED_PROXIES)
      const url = new URL(request.url)
      const said = { requestId: names.requestId, isHttps }
      const page = isApi(url) ? undefined : webPages(request, url)
      if (page !== undefined) return toResponse(protectPage(page, said))
      const answer = isApi(url)
        ? await api({ request, url, names, address })
        : await toWholeAnswer(await pages.fetch(request, { names, address }))
      const isPersonal = request.headers.has('authorization') || request.headers.has('cookie')
      return toResponse(protect(streams.pass(answer), { ...said, isPersonal }))
    },
    start: () => Promise.resolve(),
    drain: streams.end,
    stop() {
      accepting = false
      streams.end()
      return Promise.resolve()
    },
  }
}

const isApi = ({ pathname }: URL) => pathname.startsWith('/api/') || pathname === '/api'

/** The gateway's own pages. What reaches services goes past them: routing and middleware cost. */
function createPages(world: GatewayWorld, metrics: Metrics, accepting: () => boolean): Hono<Env> {
  const pages = new Hono<Env>()
  pages.notFound((c) => problemResponse(notFound(), c.req.path))
  pages.onError((error, c) => explain(world, error, c.req.raw, c.env.names))
  const routes = Object.entries(SERVICE_OF).map(([step, service]) => [`/api/${step}`, service])
  pages.get('/', (c) => c.json({ name: 'Quartet', routes: Object.fromEntries(routes) }))
  pages.get('/health/live', (c) => c.json({ status: 'ok', service: 'gateway' }))
  pages.get('/health/ready', (c) =>
    accepting()
      ? c.json({ status: 'ok', service: 'gateway' })
      : c.json({ status: 'stopping', service: 'gateway' }, 503),
  )
  pages.get('/metrics', async (c) =>
    c.text(await metricsText(metrics), 200, { 'content-type': metrics.registry.contentType }),
  )
  return pages
}
