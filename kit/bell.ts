/** Owns waiting for what any replica may do: PostgreSQL notifies, and whoever waits is woken. */
import type { World } from './world.ts'

/** Rung by the transaction that numbers events. */
export const EVENTS_CHANNEL = 'events'
/** Rung when a replica gives its lease on a subscription back. */
export const LEASES_CHANNEL = 'leases'
/** Rung by the transaction that records who is erased. */
export const ERASURES_CHANNEL = 'erasures'

export type Bell = {
  /** Counts the rings; look at it before you look at what they ring for. */
  rings: () => number
  /** Resolves when there were more rings than `seen`, after `waitMs`, or when the bell stops. */
  wait: (seen: number, waitMs: number) => Promise<void>
  /** Wakes everybody, and whoever waits from now on at once. */
  stop: () => void
  isStopped: () => boolean
}

/** A bell that is rung by hand. */
export function createHandBell(timers: World<unknown>['timers']): Bell & { ring: () => void } {
  const waiting = new Set<() => void>()
  let rings = 0
  let stopped = false

  function ring(): void {
    rings += 1
    for (const wake of waiting) wake()
  }

  return {
    ring,
    rings: () => rings,
    isStopped: () => stopped,
    wait(seen, waitMs) {
      if (stopped || waitMs <= 0 || rings > seen) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = () => {
          waiting.delete(wake)
          cancel()
          resolve()
        }
        const cancel = timers.after(waitMs, wake)
        waiting.add(wake)
      })
    },
    stop() {
      stopped = true
      ring()
    },
  }
}

/** A bell on a channel, which it begins to listen to when somebody first waits. */
export function createBell(
  { db, timers }: Pick<World<unknown>, 'db' | 'timers'>,
  channel: string,
): Bell {
  const bell = createHandBell(timers)
  let deafen: (() => void) | undefined
  return {
    ...bell,
    wait(seen, waitMs) {
      if (bell.isStopped() || waitMs <= 0) return Promise.resolve()
      deafen ??= db.listen(channel, bell.ring)
      return bell.wait(seen, waitMs)
    },
    stop() {
      deafen?.()
      bell.stop()
    },
  }
}
