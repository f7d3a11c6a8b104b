/** Owns what a process and the supervisor that started it say to each other. Without one, nothing is said. */
import type { Socket } from 'node:net'
import { z } from 'zod'
import type { ReplicaMap } from './replicas.ts'
import { realTimers } from './time.ts'

/** Said by a process: it listens on `port`; it lives; all is answered, and it is heard of no more. */
export type ToSupervisor = { type: 'ready'; port: number } | { type: 'beat' } | { type: 'ending' }

/**
 * Said by the supervisor: which replicas stand behind which origin, whole; that a connection was
 * accepted for this process (the socket comes along); that it is to serve what is open, and end.
 */
export type FromSupervisor =
  | { type: 'replicas'; replicas: ReplicaMap }
  | { type: 'connection' }
  | { type: 'drain' }

/** A process that says nothing for 2 s is taken for frozen, and killed. */
export const BEAT_MS = 250

export type SupervisedHandlers = {
  onReplicas: (replicas: ReplicaMap) => void
  onConnection: (socket: Socket) => void
  onDrain: () => void
  /** The supervisor is gone. */
  onAlone: () => void
}

const message = z.discriminatedUnion('type', [
  z.object({ type: z.literal('replicas'), replicas: z.record(z.string(), z.array(z.string())) }),
  z.object({ type: z.literal('connection') }),
  z.object({ type: z.literal('drain') }),
])

const end = () => process.exit(0)

/**
 * Until it listens to the supervisor, a process that has one ends as soon as that is gone: it may wait
 * for a database that went with it. Call it first of all.
 */
export function endWhenAlone(): void {
  if (process.send === undefined) return
  if (!process.connected) end()
  process.off('disconnect', end).on('disconnect', end)
}

/** Listens to the supervisor. Call it before `sayReady`, so that nothing said is missed. */
export function listenToSupervisor(handlers: SupervisedHandlers): void {
  process.on('message', (said: unknown, handle: unknown) => {
    const parsed = message.safeParse(said)
    if (!parsed.success) return
    if (parsed.data.type === 'replicas') return handlers.onReplicas(parsed.data.replicas)
    if (parsed.data.type === 'drain') return handlers.onDrain()
    // Gone when its client hung up on the way here.
    if (handle !== undefined) handlers.onConnection(handle as Socket)
  })
  process.off('disconnect', end)
  process.on('disconnect', handlers.onAlone)
}

/** Tells the supervisor that this process listens, and from now on that it lives. */
export function sayReady(port: number): void {
  if (process.send === undefined) return
  say({ type: 'ready', port })
  const beat = () => {
    say({ type: 'beat' })
    realTimers.after(BEAT_MS, beat)
  }
  beat()
}

/** Tells the supervisor that silence is the end from now on: to exit, with compiled code to keep, takes time. */
export async function sayEnding(): Promise<void> {
  await new Promise<void>((said) => say({ type: 'ending' }, said))
}

function say(words: ToSupervisor, onSaid = () => {}): void {
  // A supervisor that is gone is heard of by `disconnect`.
  if (process.connected) process.send?.(words, undefined, {}, onSaid)
  else onSaid()
}
