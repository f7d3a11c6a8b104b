/** Owns what all routes share: the API key, limits, validated bodies, problems, and a lost connection. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Hono, type Context, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { routePath } from 'hono/route'
import type { z } from 'zod'
import { invalidRequest } from '@quartet/kit/http'
import type { Log } from '@quartet/kit/log'
import { Problem, problemResponse } from '@quartet/kit/problem'
import type { Metrics } from '@quartet/kit/telemetry'
import type { Clock } from '@quartet/kit/time'

/** The socket below a request; absent when `fetch` is called without a server. */
type Socketed = { incoming?: { socket: { resetAndDestroy: () => unknown } } }

export type HttpOptions = { apiKey: string; clock: Clock; log: Log; metrics: Metrics }

// 1,000 items of 1 kB, and room to spare.
const MAX_BODY_BYTES = 4 * 1024 * 1024

/** Thrown by a route whose caller must get no answer at all. */
export class ConnectionDropped extends Error {
  readonly code = 'ECONNRESET'
}

/** A Hono application whose `/v1/*` wants the API key, and whose errors are RFC 9457 problems. */
export function createHttp({ apiKey, clock, log, metrics }: HttpOptions): Hono {
  const http = new Hono()
  http.use(async (c, next) => {
    const startedMs = clock.now()
    await next()
    const labels = { method: c.req.method, route: routePath(c, -1), status: c.res.status }
    metrics.requests.observe(labels, (clock.now() - startedMs) / 1_000)
  })
  http.use('/v1/*', requireKey(apiKey))
  http.use(limitedBody)
  http.notFound((c) => problemResponse(new Problem('not_found', 'Not found'), c.req.path))
  http.onError((error, c) => {
    if (error instanceof ConnectionDropped) throw error
    return problemResponse(toProblem(error, c, log), c.req.path)
  })
  return http
}

// Digests have one length, so that the comparison tells nothing of the key's.
function requireKey(apiKey: string): MiddlewareHandler {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(`Bearer ${apiKey}`)
  return (c, next) => {
    const given = digest(c.req.header('authorization') ?? '')
    if (!timingSafeEqual(given, expected)) {
      throw new Problem('unauthenticated', 'API key missing or wrong', {
        detail: 'Send Authorization: Bearer <api key>.',
      })
    }
    return next()
  }
}

const limitedBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError() {
    const detail = `At most ${MAX_BODY_BYTES} bytes are read.`
    throw new Problem('too_large', 'Request body too large', { detail })
  },
})

function toProblem(error: unknown, c: Context, log: Log): Problem {
  if (error instanceof Problem) return error
  log.error({ error, method: c.req.method, route: routePath(c, -1) }, 'a request failed')
  return new Problem('internal', 'Internal error', {
    detail: 'The failure was logged. The request may be sent again with the same keys.',
  })
}

/** The JSON body of a request as `schema` wants it; a 400 problem names what is wrong. */
export async function readBody<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await c.req.text()
  return parsed(schema, parseJson(text))
}

/** The query of a request as `schema` wants it; a 400 problem names what is wrong. */
export function readQuery<Schema extends z.ZodType>(c: Context, schema: Schema): z.output<Schema> {
  return parsed(schema, c.req.query())
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw invalidRequest(result.error.issues)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new Problem('invalid', 'Malformed JSON', { detail: detail.toWellFormed() })
  }
}

/**
 * The application as a `fetch`. A dropped connection resets the socket where there is one (the
 * second argument is what @hono/node-server passes), and rejects like a failed `fetch` elsewhere.
 */
export function toFetch(http: Hono): (request: Request, socketed?: Socketed) => Promise<Response> {
  return async (request, socketed) => {
    try {
      return await http.fetch(request)
    } catch (error) {
      const socket = socketed?.incoming?.socket
      if (!(error instanceof ConnectionDropped) || socket === undefined) throw error
      socket.resetAndDestroy()
      // Tells @hono/node-server that there is nothing left to write.
      return new Response(null, { headers: { 'x-hono-already-sent': 'true' } })
    }
  }
}
