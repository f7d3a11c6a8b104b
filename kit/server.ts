/** Owns the socket: a `fetch` function behind node:http, with limits, and a stop that cuts nothing off. */
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { realTimers } from './time.ts'

export type HttpServer = {
  /** The port it listens on: of interest when 0 was asked for. */
  port: number
  /** Serves a connection that somebody else accepted, paused as it came. */
  take: (socket: Socket) => void
  /**
   * Goes on serving for `idleMs`, but answers with `Connection: close`: who means to use an open
   * connection again gets an answer first, and then opens another, elsewhere.
   */
  drain: (idleMs: number) => Promise<void>
  /** Stops accepting, waits for what runs (at most `graceMs`), then closes every connection. */
  close: (graceMs: number) => Promise<void>
}

/** Listens; rejects with a sentence when the port is taken. */
export async function listen(
  fetch: (request: Request) => Promise<Response> | Response,
  { host, port }: { host: string; port: number },
): Promise<HttpServer> {
  const server = createAdaptorServer({ fetch }) as Server
  const tracked = trackResponses(server)
  // Must outlast what clients keep idle connections for, or they reuse one that we are closing.
  server.keepAliveTimeout = 75_000
  server.headersTimeout = 15_000
  server.requestTimeout = 60_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, port)))
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  return {
    port: address.port,
    take(socket) {
      server.emit('connection', socket)
      socket.resume()
    },
    async drain(idleMs) {
      tracked.closing()
      await realTimers.sleep(idleMs)
    },
    close: (graceMs) => close(server, tracked, graceMs),
  }
}

function explain(error: Error, port: number): Error {
  const taken = 'code' in error && error.code === 'EADDRINUSE'
  return taken ? new Error(`Port ${port} is taken by another program.`, { cause: error }) : error
}

type Tracked = {
  /** From now on each answer ends its connection. */
  closing: () => void
  /** Resolves when every answer that is under way is out. */
  answered: () => Promise<void>
}

/** Keeps the responses that are not over yet, so that a stop can tell their clients, and wait for them. */
function trackResponses(server: Server): Tracked {
  const open = new Set<ServerResponse>()
  let isClosing = false
  let onNone = () => {}
  server.prependListener('request', (_request, response: ServerResponse) => {
    open.add(response)
    if (isClosing) response.shouldKeepAlive = false
    response.once('close', () => {
      open.delete(response)
      if (open.size === 0) onNone()
    })
  })
  return {
    closing() {
      isClosing = true
      for (const response of open) response.shouldKeepAlive = false
    },
    answered: () =>
      new Promise((resolve) => {
        onNone = resolve
        if (open.size === 0) resolve()
      }),
  }
}

// Answered with `Connection: close`, so that no client sends its next request to a closed socket.
async function close(server: Server, tracked: Tracked, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  tracked.closing()
  server.closeIdleConnections()
  const cancelForce = realTimers.after(graceMs, () => server.closeAllConnections())
  // Connections that were handed over are not among those whose end `server.close` waits for.
  await Promise.all([closed, tracked.answered()])
  cancelForce()
}
