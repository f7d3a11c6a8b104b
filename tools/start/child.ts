/** Owns one run of a process: started, heard, told, and ended. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { FromSupervisor, ToSupervisor } from '@quartet/kit/supervised'
import type { Environment } from './environment.ts'
import { lastError, logLength, openLog } from './log-file.ts'

export type Child = {
  pid: () => number | undefined
  isFresh: () => boolean
  kill: (signal: NodeJS.Signals) => void
  say: (words: FromSupervisor, socket?: Socket) => Promise<boolean>
  /** Lets it serve what is open and end by itself; stops it when it takes too long. */
  drain: (graceMs: number) => Promise<void>
  /** SIGINT (at once, where SIGTERM drains), then SIGKILL after `graceMs`; resolves when it has ended. */
  stop: (graceMs: number) => Promise<void>
}

type Handlers = {
  onReady: (port: number | undefined) => void
  /** It was silent for too long, and is being killed. */
  onFrozen: () => void
  /** It has ended, and why, as far as its log tells. */
  onExit: (reason: string) => void
}

// Longer than what a request may wait for plus what an idle connection is given.
const DRAIN_MS = 15_000

/** Starts a process whose whole environment is `env`, and whose output goes to `logFile`. */
export function startChild(
  program: { script: string; env: Environment; logFile: string },
  { onReady, onFrozen, onExit }: Handlers,
): Child {
  const from = logLength(program.logFile)
  const child = spawnProcess(program)
  const pulse = watchPulse(child, () => {
    onFrozen()
    child.kill('SIGKILL')
  })
  const post = openPost(child)
  const exited = (how: string) => {
    pulse.stop()
    post.close()
    const error = lastError(program.logFile, from)
    onExit(error === undefined ? how : `${how}: ${error}`)
  }
  child.on('message', (message) => {
    if (isReady(message)) onReady(message.port)
    if (says(message, 'ending')) pulse.stop()
  })
  child.once('exit', (code, signal) => exited(describeExit(code, signal)))
  child.once('error', (error) => exited(error.message))
  return {
    pid: () => child.pid,
    isFresh: pulse.isFresh,
    kill: (signal) => void child.kill(signal),
    say: post.say,
    async drain(graceMs) {
      if (await post.say({ type: 'drain' })) await ended(child, DRAIN_MS)
      await stopChild(child, graceMs)
    },
    stop: (graceMs) => stopChild(child, graceMs),
  }
}

const says = (message: unknown, type: ToSupervisor['type']): boolean =>
  typeof message === 'object' && message !== null && 'type' in message && message.type === type

const isReady = (message: unknown): message is { port?: number } => says(message, 'ready')

// A socket is kept here too until the process has surely taken it over: what was on its way to one
// that froze would otherwise stay open for ever, with a client that waits, and so would what waits
// behind it.
function openPost(child: ChildProcess) {
  const unsaid = new Set<(said: boolean) => void>()
  const handed = new Map<Socket, number>()
  child.on('message', () => {
    for (const [socket, messages] of handed) {
      if (messages === 0) handed.set(socket, 1)
      else if (handed.delete(socket)) socket.destroy()
    }
  })
  return {
    say: (words: FromSupervisor, socket?: Socket) =>
      new Promise<boolean>((resolve) => {
        if (!child.connected) return resolve(false)
        unsaid.add(resolve)
        child.send(words, socket, { keepOpen: true }, (error) => {
          if (error === null && socket !== undefined) handed.set(socket, 0)
          unsaid.delete(resolve)
          resolve(error === null)
        })
      }),
    close() {
      for (const resolve of unsaid) resolve(false)
      for (const socket of handed.keys()) socket.destroy()
    },
  }
}

// Heartbeats are counted by ticks of our own, not by a clock: a laptop that slept kills nobody.
const TICK_MS = 250
const FRESH_TICKS = 2
const FROZEN_TICKS = 8

// Whoever has never sent a heartbeat, such as a program that is still starting, is not watched.
function watchPulse(child: ChildProcess, onFrozen: () => void) {
  let silentTicks: number | undefined
  child.on('message', (message) => {
    if (silentTicks !== undefined || says(message, 'beat')) silentTicks = 0
  })
  const timer = setInterval(() => {
    if (silentTicks === undefined) return
    silentTicks += 1
    if (silentTicks === FROZEN_TICKS) onFrozen()
  }, TICK_MS)
  return {
    isFresh: () => (silentTicks ?? FROZEN_TICKS) <= FRESH_TICKS,
    stop: () => clearInterval(timer),
  }
}

// A group of its own: Ctrl-C must reach it in our order, not all at once. Young objects get room:
// most of what a request makes is gone before it would be copied.
function spawnProcess({ script, env, logFile }: Parameters<typeof startChild>[0]): ChildProcess {
  const log = openLog(logFile)
  const child = spawn(process.execPath, ['--max-semi-space-size=64', script], {
    env,
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  return child
}

async function ended(child: ChildProcess, timeoutMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

async function stopChild(child: ChildProcess, graceMs: number): Promise<void> {
  child.kill('SIGINT')
  const force = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await ended(child, graceMs + 5_000)
  clearTimeout(force)
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`
}
