/** Owns the edge: one public origin, its limits and sessions, and one `fetch` that hands requests on to the services. */
import type { Authenticator } from '@quartet/kit/auth'
import { limitedBody } from '@quartet/kit/body-limit'
import { Problem, problemResponse } from '@quartet/kit/problem'
import { createMetrics, metricsText } from '@quartet/kit/telemetry'
import type { App, World } from '@quartet/kit/world'
import { Hono, type MiddlewareHandler } from 'hono'
import { createCookies } from './browser/cookies.ts'
import { checkSameOrigin } from './browser/csrf.ts'
import { addBrowserRoutes, withCookies } from './browser/routes.ts'
import type { AskUsers } from './browser/renewals.ts'
import { createSessions } from './browser/session.ts'
import { createBulkhead } from './bulkhead.ts'
import { readConfig, type Config } from './config.ts'
import { forward } from './forward.ts'
import { nameRequest, protect, requestHeaders, type RequestNames } from './headers.ts'
import { clientAddress } from './limits/client-address.ts'
import { createCounter, type SharedCounts } from './limits/counter.ts'
import { createLimits } from './limits/limits.ts'
import { createRetrier } from './retry.ts'
import { findTarget, SERVICE_OF } from './route-table.ts'

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

export type Env = { Bindings: Connection; Variables: { names: RequestNames } }

/** The gateway, for whoever runs it. */
export const gatewayService = { name: 'gateway', readConfig, createApp }

const MAX_BODY_BYTES = 256 * 1024
const MAX_URL_LENGTH = 8_000

function createApp(world: GatewayWorld): Edge {
  let accepting = true
  const http = new Hono<Env>()
  http.use(named(world))
  addOwnRoutes(http, () => accepting)
  addMetrics(http, world)
  addPublicRoutes(http, world)
  http.notFound((c) => problemResponse(notFound(), c.req.path))
  http.onError((error, c) => {
    if (error instanceof Problem) return problemResponse(error, c.req.path)
    const { requestId } = c.get('names')
    world.log.error({ error, method: c.req.method, requestId }, 'a request failed unexpectedly')
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

// Every answer bears its request's id, and says to browsers what it is not.
function named(world: GatewayWorld): MiddlewareHandler<Env> {
  const isHttps = world.config.PUBLIC_URL.startsWith('https:')
  return async (c, next) => {
    const names = nameRequest(c.req.raw.headers, world)
    c.set('names', names)
    await next()
    const { headers } = c.res
    headers.set('x-request-id', names.requestId)
    const isPersonal =
      c.req.raw.headers.has('authorization') ||
      c.req.raw.headers.has('cookie') ||
      headers.has('set-cookie')
    protect(headers, { isPersonal, isHttps })
  }
}

/** What reaches the services: limits first, then whose request it is, then the service's own room. */
function addPublicRoutes(http: Hono<Env>, world: GatewayWorld): void {
  const { config } = world
  const publicOrigin = new URL(config.PUBLIC_URL).origin
  const cookies = createCookies(publicOrigin.startsWith('https:'))
  const bulkhead = createBulkhead(config.MAX_UNDER_WAY)
  const limits = createLimits(world, createCounter(world, world.shared), world.authenticator)
  const outward = { ...world, retrier: createRetrier(world) }
  const addressOf = (c: { env: Connection; req: { raw: Request } }) =>
    clientAddress(
      c.env.incoming?.socket?.remoteAddress,
      c.req.raw.headers.get('x-forwarded-for'),
      config.TRUSTED_PROXIES,
    )
  const askUsers: AskUsers = (path, init) => {
    const request = new Request(`${config.USERS_URL}${path}`, init)
    const target = { service: 'users', step: 'sessions', url: request.url }
    return bulkhead.within('users', () =>
      forward(outward, target, request, new Headers(request.headers)),
    )
  }
  const sessions = createSessions(world, cookies, askUsers)

  http.use('/browser/*', limitedBody(MAX_BODY_BYTES))
  http.use('/browser/*', async (c, next) => {
    const isSignIn = c.req.method === 'POST'
    await limits.check({ address: addressOf(c), isSignIn, headers: new Headers() })
    return next()
  })
  addBrowserRoutes(http, { sessions, askUsers, publicOrigin })

  http.use('/api/*', limitedBody(MAX_BODY_BYTES))
  http.all('/api/*', async (c) => {
    const request = c.req.raw
    if (request.url.length > MAX_URL_LENGTH) throw urlTooLong()
    const target = findTarget(config, request.url)
    if (target === undefined) throw notFound()
    const address = addressOf(c)
    const headers = requestHeaders(request, c.get('names'), address)
    const { setCookies } = await ride(request, headers)
    const isSignIn = request.method === 'POST' && isSigningIn(request.url)
    await limits.check({ address, isSignIn, headers })
    const answer = await bulkhead.within(target.service, () =>
      forward(outward, target, request, headers),
    )
    return setCookies.length === 0 ? answer : withCookies(answer, setCookies)
  })

  // A bearer token is the client's own; a session's is added here, for our own pages alone.
  async function ride(request: Request, headers: Headers): Promise<{ setCookies: string[] }> {
    const { access, refresh } = cookies.read(request.headers)
    const hasSession = access !== undefined || refresh !== undefined
    if (headers.has('authorization') || !hasSession) return { setCookies: [] }
    checkSameOrigin(request, publicOrigin)
    const { accessToken, setCookies } = await sessions.ride(request.headers)
    if (accessToken !== undefined) headers.set('authorization', `Bearer ${accessToken}`)
    return { setCookies }
  }
}

/** Tries a password, or makes an account. */
const isSigningIn = (url: string) => /^\/api\/(?:sessions|users)\/?$/.test(new URL(url).pathname)

const urlTooLong = () =>
  new Problem('invalid', 'The URL is too long', {
    code: 'url_too_long',
    detail: `It may have ${MAX_URL_LENGTH} characters.`,
  })

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
