/** Owns time: the clock and the timers of a world, and the real ones. */

/** Wall-clock time in milliseconds since the epoch. */
export type Clock = { now: () => number }

export type Timers = {
  /** Calls `action` once after `delayMs`; the returned function takes the call back. */
  after: (delayMs: number, action: () => void) => () => void
  /** Resolves after `delayMs`. */
  sleep: (delayMs: number) => Promise<void>
}

export const realClock: Clock = { now: () => Date.now() }

export const realTimers: Timers = {
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs)
    return () => clearTimeout(timer)
  },
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
}
