/** Owns the socket: a `fetch` function behind node:http, with limits, and a stop that cuts nothing off. */
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { realTimers } from './time.ts'

export type HttpServer = {
  /** The port it listens on: of interest when 0 was asked for. */
  port: number
  /** Stops accepting, waits for what runs (at most `graceMs`), then closes every connection. */
  close: (graceMs: number) => Promise<void>
}

/** Listens; rejects with a sentence when the port is taken. */
export async function listen(
  fetch: (request: Request) => Promise<Response> | Response,
  { host, port }: { host: string; port: number },
): Promise<HttpServer> {
  const server = createAdaptorServer({ fetch }) as Server
  const open = trackResponses(server)
  // Must outlast what clients keep idle connections for, or they reuse one that we are closing.
  server.keepAliveTimeout = 75_000
  server.headersTimeout = 15_000
  server.requestTimeout = 60_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, port)))
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return { port: address.port, close: (graceMs) => close(server, open, graceMs) }
}

function explain(error: Error, port: number): Error {
  const taken = 'code' in error && error.code === 'EADDRINUSE'
  return taken ? new Error(`Port ${port} is taken by another program.`, { cause: error }) : error
}

/** Keeps the responses that are not over yet, so that a stop can tell their clients. */
function trackResponses(server: Server): Set<ServerResponse> {
  const open = new Set<ServerResponse>()
  server.prependListener('request', (_request, response: ServerResponse) => {
    open.add(response)
    if (!server.listening) response.shouldKeepAlive = false
    response.once('close', () => open.delete(response))
  })
  return open
}

async function close(server: Server, open: Set<ServerResponse>, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  // Answered with `Connection: close`, so that no client sends its next request to a closed socket.
  for (const response of open) response.shouldKeepAlive = false
  server.closeIdleConnections()
  const cancelForce = realTimers.after(graceMs, () => server.closeAllConnections())
  await closed
  cancelForce()
}
