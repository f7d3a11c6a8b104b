/** Owns requests for the services: limits first, then whose request it is, then the service's own room. */
import { withLimitedBody } from '@quartet/kit/body-limit'
import { Problem } from '@quartet/kit/problem'
import type { Metrics } from '@quartet/kit/telemetry'
import { toWholeAnswer, withCookies, type Answer } from './answer.ts'
import type { GatewayWorld } from './app.ts'
import type { Cookies } from './browser/cookies.ts'
import { checkSameOrigin } from './browser/csrf.ts'
import type { Sessions } from './browser/session.ts'
import { requestHeaders, type RequestNames } from './headers.ts'
import type { Limits } from './limits/limits.ts'
import { explain, notFound } from './problems.ts'
import { findTarget, type Target } from './route-table.ts'
import type { Services } from './services.ts'

/** A request for a service, and what is known of it. */
type Asked = {
  request: Request
  /** Of the request, parsed. */
  url: URL
  names: RequestNames
  /** Of the client, as `clientAddress` tells it. */
  address: string
}

export type Api = (asked: Asked) => Promise<Answer>

type Parts = {
  metrics: Metrics
  services: Services
  limits: Limits
  sessions: Sessions
  cookies: Cookies
  publicOrigin: string
}

export const MAX_BODY_BYTES = 256 * 1024
const MAX_URL_LENGTH = 8_000

/** Answers requests for services: with a service's answer, or a problem where the gateway refuses it. */
export function createApi(world: GatewayWorld, parts: Parts): Api {
  const { services, limits, sessions, cookies, publicOrigin } = parts

  async function handOn(asked: Asked, target: Target | undefined): Promise<Answer> {
    const { request, url, names, address } = asked
    const { method, signal: gone } = request
    const isBodied = method !== 'GET' && method !== 'HEAD'
    const limited = isBodied ? await withLimitedBody(request, MAX_BODY_BYTES) : request
    if (request.url.length > MAX_URL_LENGTH) throw urlTooLong()
    if (target === undefined) throw notFound()
    if (method === 'TRACE') throw traceRefused()
    const headers = requestHeaders(request, url, names, address)
    const setCookies = await ride(request, headers)
    const isSignIn = method === 'POST' && isSigningIn(url)
    await limits.check({ address, isSignIn, authorization: headers['authorization'] })
    const body = isBodied ? await limited.arrayBuffer() : null
    if (body !== null) headers['content-length'] = String(body.byteLength)
    const answer = await services.ask(target, { method, headers, body, gone })
    return withCookies(answer, setCookies)
  }

  // A bearer token is the client's own; a session's is added here, for our own pages alone.
  async function ride(request: Request, headers: Record<string, string>): Promise<string[]> {
    if (headers['authorization'] !== undefined || !request.headers.has('cookie')) return []
    const { access, refresh } = cookies.read(request.headers)
    if (access === undefined && refresh === undefined) return []
    checkSameOrigin(request, publicOrigin)
    const { accessToken, setCookies } = await sessions.ride(request.headers)
    if (accessToken !== undefined) headers['authorization'] = `Bearer ${accessToken}`
    return setCookies
  }

  // Routes are labelled by their service alone: ids and invented paths would make a series each.
  return async (asked) => {
    const { request, url, names } = asked
    const startedMs = world.clock.now()
    const target = findTarget(world.config, url)
    const answer = await handOn(asked, target).catch((error: unknown) =>
      toWholeAnswer(explain(world, error, request, names)),
    )
    const labels = {
      method: request.method,
      route: target?.service ?? 'none',
      status: answer.status,
    }
    parts.metrics.requests.observe(labels, (world.clock.now() - startedMs) / 1_000)
    return answer
  }
}

/** Tries a password, or makes an account. */
const isSigningIn = ({ pathname }: URL) =>
  /^\/api\/(?:sessions|guests|users|users\/[^/]+\/claim)\/?$/.test(pathname)

// It shows what was added on the way (RFC 9110, 9.3.8), and no service has a use for it.
const traceRefused = () => new Problem('method_not_allowed', 'TRACE is not answered here')

const urlTooLong = () =>
  new Problem('invalid', 'The URL is too long', {
    code: 'url_too_long',
    detail: `It may have ${MAX_URL_LENGTH} characters.`,
  })
