/** Owns the well-known port of a service: connections are accepted here and handed to a replica. */
import { createServer, type Socket } from 'node:net'
import { Explained } from '../explained.ts'
import type { KeptProcess } from './kept-process.ts'

export type FrontDoor = {
  /** Which replicas serve has changed: those who wait may go on. */
  changed: () => void
  /** Takes nobody in any more. What was handed over goes on. */
  close: () => void
}

export type FrontDoorOptions = {
  host: string
  port: number
  serving: () => KeptProcess[]
}

/** Connections that wait while no replica is ready. */
const MAX_WAITING = 1_000
const WAIT_MS = 5_000
const LOOK_AGAIN_MS = 100

/**
 * Accepts at `port` and hands each connection over, unread, to the next replica in turn that was
 * heard of a moment ago, as node:cluster does. The socket is the supervisor's: replicas come and go
 * behind it, and nothing that waits in its queue is reset by one that closes (RULES.md, 23).
 */
export async function openFrontDoor({ host, port, serving }: FrontDoorOptions): Promise<FrontDoor> {
  const waiting = new Map<Socket, NodeJS.Timeout>()
  let turn = 0
  let again: NodeJS.Timeout | undefined

  function next(): KeptProcess | undefined {
    const ready = serving()
    const fresh = ready.filter((replica) => replica.isFresh())
    const candidates = fresh.length > 0 ? fresh : ready
    turn += 1
    return candidates[turn % candidates.length]
  }

  async function handOver(socket: Socket): Promise<void> {
    const said = await next()?.say({ type: 'connection' }, socket)
    if (said !== true && !socket.destroyed) wait(socket)
  }

  function wait(socket: Socket): void {
    if (!waiting.has(socket)) {
      if (waiting.size >= MAX_WAITING) return void socket.destroy()
      waiting.set(
        socket,
        setTimeout(() => leave(socket).destroy(), WAIT_MS),
      )
    }
    again ??= setTimeout(letIn, LOOK_AGAIN_MS)
  }

  function leave(socket: Socket): Socket {
    clearTimeout(waiting.get(socket))
    waiting.delete(socket)
    return socket
  }

  function letIn(): void {
    clearTimeout(again)
    again = undefined
    if (next() === undefined) {
      if (waiting.size > 0) again = setTimeout(letIn, LOOK_AGAIN_MS)
      return
    }
    for (const socket of waiting.keys()) void handOver(leave(socket))
  }

  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    socket.on('error', () => {}) // its client hung up while it was ours
    void handOver(socket)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, port)))
    server.listen(port, host, resolve)
  })
  return {
    changed: letIn,
    close() {
      clearTimeout(again)
      for (const socket of waiting.keys()) leave(socket).destroy()
      server.close()
    },
  }
}

function explain(error: Error, port: number): Error {
  const taken = 'code' in error && error.code === 'EADDRINUSE'
  return taken
    ? new Explained(`Port ${port} is taken by another program.`, { cause: error })
    : error
}
