/** Owns one PostgreSQL server: made once, started, stopped, and cleared away when its guard was killed. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, openSync, closeSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Explained, fullDisk } from '../explained.ts'
import { commandOf, isAlive, waitUntilGone } from '../processes.ts'
import { give, type Account } from './account.ts'
import type { Binaries } from './binaries.ts'

export type ClusterOptions = {
  binaries: Binaries
  account: Account | undefined
  /** PostgreSQL's own data directory. */
  folder: string
  logFile: string
  /** False only for throw-away servers: then nothing waits for the disk. */
  durable: boolean
}

export type RunningCluster = {
  pid: number
  /** Resolves when the server has ended, with what it has logged since it started. */
  ended: Promise<string>
  /** Fast shutdown: sessions are cut off, what was committed is kept. */
  stop: () => Promise<void>
}

const FAST_SHUTDOWN_MS = 10_000

// PostgreSQL reads PG* variables; it gets none of them, and nothing else of ours.
const ENVIRONMENT = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' }

/** Makes a new cluster, or does nothing when there is one. Made beside and renamed: whole or not there. */
export async function makeCluster(options: ClusterOptions, password: string): Promise<void> {
  const { folder, account } = options
  if (existsSync(folder)) return
  const making = `${folder}.making`
  const passwordFile = `${folder}.password`
  rmSync(making, { recursive: true, force: true })
  rmSync(passwordFile, { force: true })
  mkdirSync(making, { mode: 0o700 })
  give(making, account)
  writeFileSync(passwordFile, password, { mode: 0o600 })
  give(passwordFile, account)
  try {
    await runInitdb(options, making, passwordFile)
    renameSync(making, folder)
  } finally {
    rmSync(passwordFile, { force: true })
  }
}

async function runInitdb(
  { binaries, account, durable, logFile }: ClusterOptions,
  folder: string,
  passwordFile: string,
): Promise<void> {
  const encoding = ['-E', 'UTF8', '--locale=C', '--locale-provider=builtin']
  const from = sizeOf(logFile)
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(
    binaries.initdb,
    ['-D', folder, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', passwordFile]
      .concat(encoding, ['--builtin-locale=C.UTF-8'])
      .concat(durable ? [] : ['--no-sync']),
    { ...account, env: ENVIRONMENT, cwd: '/', stdio: ['ignore', log, log] },
  )
  closeSync(log)
  const code = await new Promise((resolve) => {
    child.on('error', resolve)
    child.on('exit', resolve)
  })
  if (code !== 0) throw explainFailure(logFile, logSince(logFile, from))
}

/** Starts the server of a cluster. It may still be recovering when this returns. */
export function startCluster(options: ClusterOptions, port: number): RunningCluster {
  const { binaries, account, folder, logFile } = options
  rotate(logFile)
  const from = sizeOf(logFile)
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(binaries.postgres, ['-D', folder, ...settings(options, port)], {
    ...account,
    env: ENVIRONMENT,
    cwd: '/',
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (_code, signal) => {
      resolve(signal === 'SIGKILL' ? 'killed by SIGKILL' : logSince(logFile, from))
    })
  })
  const stop = async () => {
    child.kill('SIGINT')
    const force = setTimeout(() => child.kill('SIGQUIT'), FAST_SHUTDOWN_MS)
    await ended
    clearTimeout(force)
  }
  return { pid: child.pid ?? 0, ended, stop }
}

// On the command line, so that no edited file can weaken what the shop's promises rest on.
function settings({ durable }: ClusterOptions, port: number): string[] {
  const values = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '128MB',
    max_wal_size: '1GB',
    wal_level: 'replica',
    max_wal_senders: 0,
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    password_encryption: 'scram-sha-256',
    fsync: durable ? 'on' : 'off',
    synchronous_commit: durable ? 'on' : 'off',
    full_page_writes: 'on',
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Stops a server whose guard was killed, and clears a pid file that now names some other process. */
export async function clearLeftover(folder: string): Promise<void> {
  const pidFile = join(folder, 'postmaster.pid')
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return
  if (!commandOf(pid).includes(folder)) return rmSync(pidFile)
  process.kill(pid, 'SIGINT')
  if (await waitUntilGone(pid, FAST_SHUTDOWN_MS)) return
  process.kill(pid, 'SIGQUIT')
  if (await waitUntilGone(pid, FAST_SHUTDOWN_MS)) return
  throw new Explained(
    `PostgreSQL (pid ${pid}) of an earlier run does not end. Stop it, then try again.`,
  )
}

/** What a failed start means, told from what PostgreSQL has logged meanwhile. */
export function explainFailure(logFile: string, logged: string): Explained {
  if (logged.includes(NO_SPACE)) return new Explained(fullDisk(dirname(logFile)))
  if (logged.includes('could not look up effective user ID')) {
    return new Explained(
      `PostgreSQL runs only as a user with a name, and user ${process.getuid?.()} has none. ` +
        'Give it a line in /etc/passwd, or start as another user.',
    )
  }
  return new Explained(`PostgreSQL did not start: ${reasonOf(logged)}\nIts log: ${logFile}`)
}

/** Why PostgreSQL ended, in few words. */
export function reasonOf(logged: string): string {
  if (logged.includes(NO_SPACE)) return 'its disk is full: free some space'
  const lines = logged.trim().split('\n')
  const line = lines.findLast((text) => /FATAL|PANIC|error:/.test(text)) ?? lines.at(-1) ?? ''
  return line.replace(/^.*?(FATAL|PANIC|LOG):\s+/, '')
}

const NO_SPACE = 'No space left on device'
const LOGGED_LENGTH = 4_000

function logSince(logFile: string, from: number): string {
  return readFileSync(logFile).subarray(from).toString('utf8').slice(-LOGGED_LENGTH)
}

function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0
}

function rotate(logFile: string): void {
  if (existsSync(logFile) && statSync(logFile).size > 10_000_000)
    renameSync(logFile, `${logFile}.1`)
  if (existsSync(logFile)) chmodSync(logFile, 0o600)
}
