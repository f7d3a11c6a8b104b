/** Owns the limit on request bodies. */
import type { MiddlewareHandler } from 'hono'
import { Problem } from './problem.ts'

/**
 * Refuses bodies of more than `maxSize` bytes with a 413 problem: by their Content-Length, else by
 * reading them. Hono's own `body-limit` fails on requests of @hono/node-server that have no
 * Content-Length, unless that is let to replace the global Request.
 */
export function limitedBody(maxSize: number): MiddlewareHandler {
  return async (c, next) => {
    const { raw } = c.req
    if (raw.method === 'GET' || raw.method === 'HEAD') return next()
    const length = raw.headers.get('content-length')
    if (length === null || raw.headers.has('transfer-encoding')) {
      c.req.raw = await readWithin(raw, maxSize)
    } else if (!(Number(length) <= maxSize)) throw tooLarge(maxSize)
    return next()
  }
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
