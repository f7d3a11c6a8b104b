/** Owns joining a data folder's server: finds its guard or starts one, and finds it again when it was killed. */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { Explained } from '../explained.ts'
import { inData, isOurs, prepareDataDir } from './data-folder.ts'
import { passwordOf } from './kept-server.ts'
import { guardMessage, guardSocket, receive, send } from './protocol.ts'
import type { GuardMessage, GuardOptions } from './protocol.ts'
import { postgresUrl } from './provision.ts'

export type PostgresEvent = Exclude<GuardMessage, { type: 'ready' | 'refused' }>

export type JoinOptions = {
  dataDir: string
  /** Where PostgreSQL listens if this join starts it; 0 takes any free port. */
  port: number
  /** At most one client joins with the same name. */
  exclusive?: string
  throwAway?: boolean
  onEvent?: (event: PostgresEvent) => void
}

export type JoinedPostgres = {
  /** Where it listens; not the port asked for when it already ran. */
  port: number
  /** The connection URL of a role, to the database of its name unless another is given. */
  urlOf: (role: string, database?: string) => Promise<string>
  /** Leaves; resolves when PostgreSQL has stopped, if nobody else is joined. */
  leave: () => Promise<void>
}

const CONNECT_TIMEOUT_MS = 40_000
const CONNECT_POLL_MS = 25
const REJOIN_MS = 200

/** Joins the server of a data folder, starting it when nobody has; it lives as long as its clients. */
export async function joinPostgres(options: JoinOptions): Promise<JoinedPostgres> {
  const dataDir = prepareDataDir(options.dataDir)
  const asked = { ...options, dataDir }
  let left = false
  let joined = await joinOnce(asked)
  const { port } = joined
  const onLost = () => {
    if (left) return
    asked.onEvent?.({ type: 'died', reason: 'its guard was killed', retryMs: REJOIN_MS })
    setTimeout(() => void rejoin(), REJOIN_MS)
  }
  const rejoin = async () => {
    try {
      joined = await joinOnce({ ...asked, port })
      joined.socket.on('close', onLost)
      asked.onEvent?.({ type: 'recovered' })
    } catch {
      onLost()
    }
  }
  joined.socket.on('close', onLost)
  return {
    port,
    urlOf: async (role, database) =>
      postgresUrl(role, await passwordOf(dataDir, role), port, database),
    leave: () => {
      left = true
      return leave(joined.socket)
    },
  }
}

/** Whether a guard, and so a server, runs on this data folder. */
export async function guardRuns(dataDir: string): Promise<boolean> {
  if (!isOurs(dataDir)) return false
  const socket = await tryConnect(guardSocket(realpathSync(dataDir)))
  socket?.destroy()
  return socket !== undefined
}

function leave(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve()
    socket.on('close', () => resolve())
    send(socket, { type: 'leave' })
  })
}

type Joined = { port: number; socket: Socket }

async function joinOnce(options: JoinOptions): Promise<Joined> {
  for (const endMs = Date.now() + CONNECT_TIMEOUT_MS; ;) {
    const socket = await connectToGuard(options, endMs)
    const joined = await askToJoin(socket, options)
    if (joined !== undefined) return joined
    // The guard was just ending as we came: the next one lets us in.
    if (Date.now() > endMs) throw unanswered(options.dataDir)
  }
}

// undefined: the guard ended without an answer.
function askToJoin(socket: Socket, options: JoinOptions): Promise<Joined | undefined> {
  return new Promise((resolve, reject) => {
    socket.on('close', () => resolve(undefined))
    receive(socket, guardMessage, (message) => {
      if (message.type === 'ready') resolve({ port: message.port, socket })
      else if (message.type === 'refused') {
        reject(new Explained(message.message))
        socket.destroy()
      } else options.onEvent?.(message)
    })
    const { exclusive } = options
    send(socket, {
      type: 'join',
      pid: process.pid,
      ...(exclusive === undefined ? {} : { exclusive }),
    })
  })
}

async function connectToGuard(options: JoinOptions, endMs: number): Promise<Socket> {
  const path = guardSocket(options.dataDir)
  let guard: { exitCode: () => number | null } | undefined
  for (;;) {
    const socket = await tryConnect(path)
    if (socket !== undefined) return socket
    const exitCode = guard?.exitCode() ?? null
    if (exitCode !== null && exitCode > 0) throw unanswered(options.dataDir)
    if (Date.now() > endMs) throw unanswered(options.dataDir)
    // Exit code 0: another guard answered it, and may have ended since.
    if (guard === undefined || exitCode === 0) guard = spawnGuard(options)
    await new Promise((resolve) => setTimeout(resolve, CONNECT_POLL_MS))
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('error', () => resolve(undefined))
    socket.on('connect', () => resolve(socket))
  })
}

// In a session of its own, so that neither Ctrl-C nor our end takes PostgreSQL down unprepared.
function spawnGuard({ dataDir, port, throwAway = false }: JoinOptions): {
  exitCode: () => number | null
} {
  const options: GuardOptions = { dataDir, port, throwAway }
  const log = openSync(inData.log(dataDir, 'guard'), 'w', 0o600)
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'guard.ts'), JSON.stringify(options)],
    { detached: true, stdio: ['ignore', log, log], cwd: '/' },
  )
  closeSync(log)
  child.unref()
  return { exitCode: () => (child.signalCode === null ? child.exitCode : 1) }
}

function unanswered(dataDir: string): Explained {
  const log = inData.log(dataDir, 'guard')
  const lines = readFileSync(log, 'utf8').trim()
  return new Explained(`PostgreSQL did not start. ${lines}\nIts logs: ${join(dataDir, 'logs')}`)
}
