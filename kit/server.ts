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
   * Goes on serving for `leastMs`, and then until no connection is open, but answers with
   * `Connection: close`: who means to use an open connection again gets an answer first, and then
   * opens another, elsewhere. Ends when all clients have let go of idle connections, as they were told.
   */
  drain: (leastMs: number) => Promise<void>
  /** Stops accepting, waits for what runs (at most `graceMs`), then closes every connection. */
  close: (graceMs: number) => Promise<void>
}

export type ListenOptions = {
  host: string
  /** 0 for one that the system chooses. */
  port: number
  /** How long clients are told to keep an idle connection for. */
  keepAliveMs?: number
}

// Connections are held for far longer than clients are told (`Keep-Alive: timeout=4`), so that none
// is used again just while it is closed.
const KEEP_ALIVE_MS = 4_000
const KEEP_ALIVE_BUFFER_MS = 71_000
const LOOK_AGAIN_MS = 50

/** Listens; rejects with a sentence when the port is taken. */
export async function listen(
  fetch: (request: Request) => Promise<Response> | Response,
  { host, port, keepAliveMs = KEEP_ALIVE_MS }: ListenOptions,
): Promise<HttpServer> {
  const server = createAdaptorServer({ fetch }) as Server
  const tracked = track(server)
  server.keepAliveTimeout = keepAliveMs
  server.keepAliveTimeoutBuffer = KEEP_ALIVE_BUFFER_MS
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
    drain: (leastMs) => drain(tracked, leastMs, keepAliveMs),
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
  /** Those that were handed over too, which the server itself doesn't count. */
  connections: () => number
}

/** Keeps the responses that are not over yet, so that a stop can tell their clients, and wait for them. */
function track(server: Server): Tracked {
  const open = new Set<ServerResponse>()
  let connections = 0
  let isClosing = false
  let onNone = () => {}
  server.on('connection', (socket) => {
    connections += 1
    socket.once('close', () => (connections -= 1))
  })
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
    connections: () => connections,
  }
}

async function drain(tracked: Tracked, leastMs: number, mostMs: number): Promise<void> {
  tracked.closing()
  await realTimers.sleep(leastMs)
  for (let waitedMs = leastMs; waitedMs < mostMs; waitedMs += LOOK_AGAIN_MS) {
    if (tracked.connections() === 0) return
    await realTimers.sleep(LOOK_AGAIN_MS)
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
  await tracked.answered()
  // An answer that had begun before could not say that its connection ends with it.
  server.closeIdleConnections()
  await closed
  cancelForce()
}
