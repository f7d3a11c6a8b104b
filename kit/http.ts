/** Owns what every service's HTTP has in common: limits, validation, problems, health, metrics, documents. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import { routePath } from 'hono/route'
import type { Context, MiddlewareHandler } from 'hono'
import type { z } from 'zod'
import { withLimitedBody } from './body-limit.ts'
import { deadlineExceeded, deadlineOf, TIMEOUT_HEADER } from './deadline.ts'
import { addDocs } from './docs.ts'
import { ConnectionLost, isDataError, isOverload, sqlState } from './postgres.ts'
import { Problem, problemResponse, type FieldError } from './problem.ts'
import { createMetrics, metricsText, type Metrics } from './telemetry.ts'
import type { World } from './world.ts'

/**
 * `idempotencyScope` is set on a request that carries an Idempotency-Key (idempotency.ts), `deadlineMs`
 * on one whose caller says how long it waits (deadline.ts).
 */
export type HttpEnv = { Variables: { idempotencyScope?: string; deadlineMs?: number } }
export type Http = OpenAPIHono<HttpEnv>

export type HttpOptions = {
  name: string
  /** Title and description of the OpenAPI document. */
  title: string
  description: string
  /** False once the service is stopping. */
  accepting: () => boolean
  metrics?: Metrics
}

const MAX_BODY_BYTES = 256 * 1024
// Batches of other services: 1,000 items of 100 lines.
const MAX_COMMAND_BODY_BYTES = 16 * 1024 * 1024

/** A Hono application to which a service adds its routes; all errors leave it as RFC 9457 problems. */
export function createHttp(
  world: Pick<World<unknown>, 'db' | 'clock' | 'log'>,
  options: HttpOptions,
): Http {
  const metrics = options.metrics ?? createMetrics(options.name)
  const http: Http = new OpenAPIHono<HttpEnv>({
    defaultHook(result) {
      if (!result.success) throw invalidRequest(result.error.issues)
    },
  })
  http.use(measured(world, metrics))
  http.use(checked(world))
  http.onError((error, c) => problemResponse(toProblem(world, error, c), c.req.path))
  http.notFound((c) => problemResponse(new Problem('not_found', 'Not found'), c.req.path))
  addHealth(http, world, options)
  http.get('/metrics', async (c) =>
    c.text(await metricsText(metrics), 200, { 'content-type': metrics.registry.contentType }),
  )
  http.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: options.title, description: options.description, version: '1' },
  })
  http.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
  })
  addDocs(http, options.title)
  return http
}

function addHealth(
  http: Http,
  { db, log }: Pick<World<unknown>, 'db' | 'log'>,
  { name, accepting }: HttpOptions,
): void {
  http.get('/health/live', (c) => c.json({ status: 'ok', service: name }))
  http.get('/health/ready', async (c) => {
    if (!accepting()) return c.json({ status: 'stopping', service: name }, 503)
    try {
      await db.query('select 1')
      return c.json({ status: 'ok', service: name })
    } catch (error) {
      log.warn({ error }, 'not ready: the database does not answer')
      return c.json({ status: 'database_unavailable', service: name }, 503)
    }
  })
}

function measured(
  { clock }: Pick<World<unknown>, 'clock'>,
  { requests }: Metrics,
): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const startedMs = clock.now()
    await next()
    const labels = { method: c.req.method, route: routePath(c, -1), status: c.res.status }
    requests.observe(labels, (clock.now() - startedMs) / 1_000)
  }
}

/** Refuses what comes too late, is not JSON, or is too large: one middleware, since each costs. */
function checked({ clock }: Pick<World<unknown>, 'clock'>): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const deadlineMs = deadlineOf(c.req.header(TIMEOUT_HEADER), clock)
    if (deadlineMs !== undefined) {
      if (deadlineMs <= clock.now()) throw deadlineExceeded
      c.set('deadlineMs', deadlineMs)
    }
    const { method, path } = c.req
    if (method !== 'GET' && method !== 'HEAD') {
      const type = c.req.header('content-type')
      if (type !== undefined && !JSON_TYPE.test(type)) throw notJson()
      const limit = path.startsWith('/commands/') ? MAX_COMMAND_BODY_BYTES : MAX_BODY_BYTES
      c.req.raw = await withLimitedBody(c.req.raw, limit)
    }
    await next()
  }
}

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json(?:\s*;|$)/i

const notJson = () =>
  new Problem('unsupported_media_type', 'Unsupported content type', {
    detail: 'Send Content-Type: application/json.',
  })

function toProblem(
  { log }: Pick<World<unknown>, 'log'>,
  error: unknown,
  c: Context<HttpEnv>,
): Problem {
  if (error instanceof Problem) return error
  if (error instanceof HTTPException && error.status === 415) return notJson()
  if (error instanceof HTTPException && error.status < 500) {
    return new Problem('invalid', 'Malformed request', { detail: error.message })
  }
  const fields = { error, method: c.req.method, route: routePath(c, -1) }
  if (error instanceof ConnectionLost || isOverload(error)) {
    log.warn(fields, 'a request failed because the database did not answer')
    return unavailable
  }
  if (isDataError(error)) {
    log.warn({ ...fields, sqlState: sqlState(error) }, 'PostgreSQL refused the data of a request')
    return new Problem('invalid', 'The data cannot be stored')
  }
  log.error(fields, 'a request failed unexpectedly')
  return new Problem('internal', 'Internal error', {
    detail: 'The failure was logged. The request may be sent again with the same Idempotency-Key.',
  })
}

const unavailable = new Problem('unavailable', 'Temporarily unavailable', {
  code: 'database_unavailable',
  detail: 'The database does not answer now. Send the request again with the same Idempotency-Key.',
  retryAfterS: 1,
})

/** A 400 problem that names each wrong field of a request. */
export function invalidRequest(issues: z.core.$ZodIssue[]): Problem {
  const errors = issues.slice(0, 20).flatMap(toFieldErrors)
  const names = [...new Set(errors.map(({ field }) => field))].slice(0, 10).join(', ')
  return new Problem('invalid', 'Invalid request', { detail: `Check: ${names}.`, errors })
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const at = issue.path.map((step) => shortened(String(step)))
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, 20).map((key) => ({
      field: [...at, shortened(key)].join('.'),
      detail: 'is not a field of this request',
    }))
  }
  return [{ field: at.join('.') || 'body', detail: issue.message }]
}

// Keys are the sender's own words: of any length, and of anything JSON can escape.
const shortened = (key: string) => key.slice(0, 64).toWellFormed()

/** The 404 problem of a resource, such as "User not found". */
export function notFound(resource: string): Problem {
  return new Problem('not_found', `${resource} not found`)
}

/** Throws a 412 problem unless `If-Match` is absent, `*`, or names `etag` (RFC 9110, 13.1.1). */
export function checkIfMatch(request: Request, etag: string): void {
  const header = request.headers.get('if-match')
  if (header === null || header.trim() === '*') return
  if (header.split(',').some((tag) => tag.trim() === etag)) return
  throw new Problem('precondition_failed', 'Changed in the meantime', {
    detail: `The current version is ${etag}: read it again and apply your change to that.`,
  })
}
