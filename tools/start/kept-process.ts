/** Owns one process of the shop: started, waited for, started again when it dies, stopped in time. */
import type { Socket } from 'node:net'
import type { FromSupervisor } from '@quartet/kit/supervised'
import { Explained } from '../explained.ts'
import { startChild, type Child } from './child.ts'
import type { Environment } from './environment.ts'

export type ProcessEvent =
  | { type: 'process-died'; name: string; reason: string; retryMs: number; attempt: number }
  | { type: 'process-back'; name: string }
  | { type: 'process-frozen'; name: string }

export type ProcessOptions = {
  name: string
  script: string
  env: Environment
  logFile: string
  /** From SIGINT to SIGKILL. */
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
  /** SIGINT, then SIGKILL when it takes too long; resolves when it has ended. */
  stop: () => Promise<void>
}

const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 5_000
const STEADY_MS = 10_000
const FIRST_ATTEMPTS = 4

/** Starts a process and keeps it running until `stop`. */
export function keepProcess(options: ProcessOptions): KeptProcess {
  const { name, tell, onChange = () => {} } = options
  const firstReady = Promise.withResolvers<void>()
  firstReady.promise.catch(() => {}) // awaited later, or not at all when another one failed first
  let child: Child | undefined
  let port: number | undefined
  let startedAtMs = 0
  let attempt = 1
  let stopping = false
  let wasReady = false
  let retry: NodeJS.Timeout | undefined

  const start = () => {
    startedAtMs = Date.now()
    child = startChild(options, {
      onReady(told) {
        port = told
        if (wasReady) tell({ type: 'process-back', name })
        wasReady = true
        firstReady.resolve()
        onChange()
      },
      onFrozen: () => tell({ type: 'process-frozen', name }),
      onExit,
    })
  }

  const onExit = (reason: string) => {
    child = undefined
    port = undefined
    onChange()
    if (stopping) return
    if (Date.now() - startedAtMs > STEADY_MS) attempt = 1
    if (!wasReady && attempt >= FIRST_ATTEMPTS) {
      const where = `Its log: ${options.logFile}`
      firstReady.reject(new Explained(`${name} does not start (${reason}).\n${where}`))
      return
    }
    const retryMs = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS)
    tell({ type: 'process-died', name, reason, retryMs, attempt })
    attempt += 1
    retry = setTimeout(start, retryMs)
  }

  const end = (how: 'drain' | 'stop') => async () => {
    stopping = true
    clearTimeout(retry)
    await child?.[how](options.graceMs)
  }

  start()
  return {
    name,
    pid: () => child?.pid(),
    startedAtMs: () => startedAtMs,
    port: () => port,
    isFresh: () => child?.isFresh() ?? false,
    ready: firstReady.promise,
    kill: (signal) => child?.kill(signal),
    say: (words, socket) => child?.say(words, socket) ?? Promise.resolve(false),
    drain: end('drain'),
    stop: end('stop'),
  }
}
