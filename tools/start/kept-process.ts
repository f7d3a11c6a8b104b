/** Owns one process of the shop: started, waited for, started again when it dies, stopped in time. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { FromSupervisor } from '@quartet/kit/supervised'
import { Explained } from '../explained.ts'
import type { Environment } from './environment.ts'
import { lastError, logLength, openLog } from './log-file.ts'

export type ProcessEvent =
  | { type: 'process-died'; name: string; reason: string; retryMs: number; attempt: number }
  | { type: 'process-back'; name: string }
  | { type: 'process-frozen'; name: string }

export type ProcessOptions = {
  name: string
  script: string
  env: Environment
  logFile: string
  /** From SIGTERM to SIGKILL. */
  graceMs: number
  tell: (event: ProcessEvent) => void
  /** It became ready, or is no more. */
  onChange?: () => void
}

export type KeptProcess = {
  name: string
  /** Undefined while it waits to be started again. */
  pid: () => number | undefined
  startedAtMs: () => number
  /** The port it listens on; undefined while it is not ready, or says none. */
  port: () => number | undefined
  /** Whether it said something a moment ago. */
  isFresh: () => boolean
  /** Resolves when it is ready for the first time; rejects when it keeps dying before that. */
  ready: Promise<void>
  kill: (signal: NodeJS.Signals) => void
  /** Says something to it; false when it could not be said. A socket that was not handed over stays ours. */
  say: (words: FromSupervisor, socket?: Socket) => Promise<boolean>
  /** Lets it serve what is open and end by itself; `stop` follows when it doesn't. */
  drain: () => Promise<void>
  /** SIGTERM, then SIGKILL when it takes too long; resolves when it has ended. */
  stop: () => Promise<void>
}

const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 5_000
const STEADY_MS = 10_000
const FIRST_ATTEMPTS = 4
// Heartbeats are counted by ticks of our own, not by a clock: a laptop that slept kills nobody.
const TICK_MS = 250
const FRESH_TICKS = 2
const FROZEN_TICKS = 8
// Longer than what a request may wait for plus what an idle connection is given.
const DRAIN_MS = 15_000

/** Starts a process and keeps it running until `stop`. */
export function keepProcess(options: ProcessOptions): KeptProcess {
  const { name, tell, onChange = () => {} } = options
  const firstReady = Promise.withResolvers<void>()
  firstReady.promise.catch(() => {}) // awaited later, or not at all when another one failed first
  let child: ChildProcess | undefined
  let pulse = noPulse
  let port: number | undefined
  let startedAtMs = 0
  let attempt = 1
  let stopping = false
  let wasReady = false
  let retry: NodeJS.Timeout | undefined

  const start = () => {
    startedAtMs = Date.now()
    const from = logLength(options.logFile)
    const started = spawnProcess(options)
    child = started
    pulse = watchPulse(started, () => {
      tell({ type: 'process-frozen', name })
      started.kill('SIGKILL')
    })
    started.on('message', (message) => {
      if (isReady(message)) onReady(message)
    })
    started.once('exit', (code, signal) => onExit(from, describeExit(code, signal)))
    started.once('error', (error) => onExit(from, error.message))
  }

  const onReady = (message: Ready) => {
    ;({ port } = message)
    if (wasReady) tell({ type: 'process-back', name })
    wasReady = true
    firstReady.resolve()
    onChange()
  }

  const onExit = (from: number, how: string) => {
    pulse.stop()
    child = undefined
    port = undefined
    onChange()
    if (stopping) return
    if (Date.now() - startedAtMs > STEADY_MS) attempt = 1
    const error = lastError(options.logFile, from)
    const reason = error === undefined ? how : `${how}: ${error}`
    if (!wasReady && attempt >= FIRST_ATTEMPTS) {
      firstReady.reject(
        new Explained(`${name} does not start (${reason}).\nIts log: ${options.logFile}`),
      )
      return
    }
    const retryMs = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS)
    tell({ type: 'process-died', name, reason, retryMs, attempt })
    attempt += 1
    retry = setTimeout(start, retryMs)
  }

  const say = (words: FromSupervisor, socket?: Socket) => sayTo(child, words, socket)
  const stop = async () => {
    stopping = true
    clearTimeout(retry)
    if (child !== undefined) await stopChild(child, options.graceMs)
  }

  start()
  return {
    name,
    pid: () => child?.pid,
    startedAtMs: () => startedAtMs,
    port: () => port,
    isFresh: () => pulse.isFresh(),
    ready: firstReady.promise,
    kill: (signal) => child?.kill(signal),
    say,
    async drain() {
      stopping = true
      clearTimeout(retry)
      if (child !== undefined && (await say({ type: 'drain' }))) await ended(child, DRAIN_MS)
      await stop()
    },
    stop,
  }
}

type Ready = { type: 'ready'; port?: number }

const isReady = (message: unknown): message is Ready =>
  typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready'

function sayTo(
  child: ChildProcess | undefined,
  words: FromSupervisor,
  socket: Socket | undefined,
): Promise<boolean> {
  return new Promise((resolve) => {
    if (child?.connected !== true) return resolve(false)
    child.send(words, socket, {}, (error) => resolve(error === null))
  })
}

type Pulse = { isFresh: () => boolean; stop: () => void }
const noPulse: Pulse = { isFresh: () => false, stop: () => {} }

// Whoever has never sent a heartbeat, such as a program that is still starting, is not watched.
function watchPulse(child: ChildProcess, onFrozen: () => void): Pulse {
  let silentTicks: number | undefined
  child.on('message', () => (silentTicks = 0))
  const timer = setInterval(() => {
    if (silentTicks === undefined) return
    silentTicks += 1
    if (silentTicks !== FROZEN_TICKS) return
    clearInterval(timer)
    onFrozen()
  }, TICK_MS)
  return {
    isFresh: () => (silentTicks ?? FROZEN_TICKS) <= FRESH_TICKS,
    stop: () => clearInterval(timer),
  }
}

// A group of its own: Ctrl-C must reach it in our order, not all at once.
function spawnProcess({ script, env, logFile }: ProcessOptions): ChildProcess {
  const log = openLog(logFile)
  const child = spawn(process.execPath, ['--max-semi-space-size=64', script], {
    env,
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  return child
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

async function ended(child: ChildProcess, timeoutMs: number): Promise<void> {
  if (hasEnded(child)) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

async function stopChild(child: ChildProcess, graceMs: number): Promise<void> {
  if (hasEnded(child)) return
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended(child, graceMs + 5_000)
  clearTimeout(force)
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`
}
