/** Owns the limit on request bodies. */
import type { MiddlewareHandler } from 'hono'
import { Problem } from './problem.ts'

/** Hono's middleware of it. */
export function limitedBody(maxSize: number): MiddlewareHandler {
  return async (c, next) => {
    const { raw } = c.req
    if (raw.method !== 'GET' && raw.method !== 'HEAD') {
      c.req.raw = await withLimitedBody(raw, maxSize)
    }
    await next()
  }
}

/**
 * The request, to be read on: one with a body of more than `maxSize` bytes throws a 413 problem, by its
 * Content-Length, else by reading it. Hono's own `body-limit` fails on requests of @hono/node-server
 * that have no Content-Length, unless that is let to replace the global Request.
 */
export async function withLimitedBody(request: Request, maxSize: number): Promise<Request> {
  const length = request.headers.get('content-length')
  if (length === null || request.headers.has('transfer-encoding')) {
    return readWithin(request, maxSize)
  }
  if (!(Number(length) <= maxSize)) throw tooLarge(maxSize)
  return request
}

/** The same request with its body read; without one when it is empty. */
async function readWithin(request: Request, maxSize: number): Promise<Request> {
  if (request.body === null) return request
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.length
    if (size > maxSize) throw tooLarge(maxSize)
    chunks.push(chunk)
  }
  const { url, method, headers, signal } = request
  return new Request(url, {
    method,
    headers,
    signal,
    body: size > 0 ? Buffer.concat(chunks) : null,
  })
}

const tooLarge = (maxSize: number) =>
  new Problem('too_large', 'Request body too large', {
    detail: `At most ${maxSize} bytes are read.`,
  })
