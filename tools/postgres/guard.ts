/** Owns one data folder's server as a process of its own: PostgreSQL lives while somebody is joined. */
import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { runProgram } from '../explained.ts'
import { inData } from './data-folder.ts'
import {
  clientMessage,
  guardOptions,
  guardSocket,
  makeGuardFolder,
  receive,
  send,
} from './protocol.ts'
import type { ClientMessage, GuardMessage, GuardOptions } from './protocol.ts'
import { createKeptServer, type KeptServer } from './kept-server.ts'

type Guard = {
  options: GuardOptions
  server: Server
  kept: KeptServer
  clients: Map<Socket, { pid: number; exclusive: string | undefined }>
  /** What a newcomer must know: how far the start is, or how it ended. */
  state: GuardMessage | undefined
  stopping: boolean
}

const LOCK_WAIT_MS = 20_000
const FIRST_CLIENT_MS = 15_000

async function main(): Promise<void> {
  const options = guardOptions.parse(JSON.parse(process.argv[2] ?? '{}'))
  if (!(await holdLock(options.dataDir))) return
  const socketPath = makeGuardFolder(options.dataDir)
  rmSync(socketPath, { force: true }) // whoever holds the lock owns the name
  const guard: Guard = {
    options,
    server: createServer(),
    kept: createKeptServer(options, (message) => broadcast(guard, message)),
    clients: new Map(),
    state: undefined,
    stopping: false,
  }
  guard.server.on('connection', (socket) => welcome(guard, socket))
  guard.server.listen(socketPath)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => void stop(guard))
  }
  setTimeout(() => stopWhenAlone(guard), FIRST_CLIENT_MS).unref()
  try {
    await guard.kept.run()
  } catch (error) {
    // Whoever started us may not have joined yet: we end when the last one that was told has gone.
    const message = error instanceof Error ? error.message : String(error)
    broadcast(guard, { type: 'refused', message })
  }
}

let lock: DatabaseSync | undefined

// SQLite's file lock is the one lock that Node offers which the system frees when its owner dies.
// False: another guard has it, and answers.
async function holdLock(dataDir: string): Promise<boolean> {
  lock = new DatabaseSync(inData.lock(dataDir))
  lock.exec('pragma busy_timeout = 100; pragma journal_mode = memory')
  for (const endMs = Date.now() + LOCK_WAIT_MS; ;) {
    try {
      lock.exec('begin exclusive')
      return true
    } catch (error) {
      if (await answers(guardSocket(dataDir))) return false
      if (Date.now() > endMs) throw error
    }
  }
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath)
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

function broadcast(guard: Guard, message: GuardMessage): void {
  if (['progress', 'ready', 'refused'].includes(message.type)) guard.state = message
  for (const socket of guard.clients.keys()) send(socket, message)
}

function welcome(guard: Guard, socket: Socket): void {
  socket.on('error', () => {}) // 'close' follows
  socket.on('close', () => {
    guard.clients.delete(socket)
    stopWhenAlone(guard)
  })
  receive(socket, clientMessage, (message) => {
    if (message.type === 'join') admit(guard, socket, message)
    else leave(guard, socket)
  })
}

function admit(guard: Guard, socket: Socket, join: ClientMessage & { type: 'join' }): void {
  const { pid, exclusive } = join
  const first = [...guard.clients.values()].find((other) => other.exclusive === exclusive)
  if (exclusive !== undefined && first !== undefined) {
    const { dataDir } = guard.options
    const message =
      `A ${exclusive} already runs on ${dataDir} (pid ${first.pid}). Stop it first, or start this ` +
      'one beside it on data of its own: --data DIR --port-base 15000.'
    send(socket, { type: 'refused', message })
    socket.end()
    return
  }
  guard.clients.set(socket, { pid, exclusive })
  if (guard.state !== undefined) send(socket, guard.state)
}

// The last one waits until PostgreSQL has stopped: its socket closes when this process ends.
function leave(guard: Guard, socket: Socket): void {
  if (guard.clients.size > 1) socket.end()
  else void stop(guard)
}

function stopWhenAlone(guard: Guard): void {
  if (guard.clients.size === 0) void stop(guard)
}

async function stop(guard: Guard): Promise<void> {
  if (guard.stopping) return
  guard.stopping = true
  guard.server.close() // removes the socket: newcomers start a guard, which waits for our lock
  await guard.kept.stop()
  if (guard.options.throwAway) rmSync(guard.options.dataDir, { recursive: true, force: true })
  rmSync(dirname(guardSocket(guard.options.dataDir)), { recursive: true, force: true })
  lock?.close()
  process.exit()
}

await runProgram(main)
