/** Owns one process of the shop: started, waited for, started again when it dies, stopped in time. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { Explained } from '../explained.ts'
import type { Environment } from './environment.ts'
import { lastError, logLength, openLog } from './log-file.ts'

export type ProcessEvent =
  | { type: 'process-died'; name: string; reason: string; retryMs: number; attempt: number }
  | { type: 'process-back'; name: string }

export type ProcessOptions = {
  name: string
  script: string
  env: Environment
  logFile: string
  /** From SIGTERM to SIGKILL. */
  graceMs: number
  tell: (event: ProcessEvent) => void
}

export type KeptProcess = {
  name: string
  /** Undefined while it waits to be started again. */
  pid: () => number | undefined
  startedAtMs: () => number
  /** Resolves when it is ready for the first time; rejects when it keeps dying before that. */
  ready: Promise<void>
  kill: (signal: NodeJS.Signals) => void
  /** SIGTERM, then SIGKILL when it takes too long; resolves when it has ended. */
  stop: () => Promise<void>
}

const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 5_000
const STEADY_MS = 10_000
const FIRST_ATTEMPTS = 4

/** Starts a process and keeps it running until `stop`. */
export function keepProcess(options: ProcessOptions): KeptProcess {
  const { name, tell } = options
  const firstReady = Promise.withResolvers<void>()
  firstReady.promise.catch(() => {}) // awaited later, or not at all when another one failed first
  let child: ChildProcess | undefined
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
    started.on('message', (message) => {
      if (!isReady(message)) return
      if (wasReady) tell({ type: 'process-back', name })
      wasReady = true
      firstReady.resolve()
    })
    started.once('exit', (code, signal) => onExit(from, describeExit(code, signal)))
    started.once('error', (error) => onExit(from, error.message))
  }

  const onExit = (from: number, how: string) => {
    child = undefined
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

  start()
  return {
    name,
    pid: () => child?.pid,
    startedAtMs: () => startedAtMs,
    ready: firstReady.promise,
    kill: (signal) => child?.kill(signal),
    async stop() {
      stopping = true
      clearTimeout(retry)
      if (child !== undefined) await stopChild(child, options.graceMs)
    },
  }
}

const isReady = (message: unknown) =>
  typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready'

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

async function stopChild(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended
  clearTimeout(force)
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`
}
