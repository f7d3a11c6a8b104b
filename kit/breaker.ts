/** Owns a circuit breaker: who fails again and again is left alone for a while, then tried by one call. */
import type { Random } from './random.ts'
import type { Clock } from './time.ts'

export type Breaker = {
  /** Whether a call may be made; each that may must end in `succeeded` or `failed`. */
  allows: () => boolean
  succeeded: () => void
  /** `weight`: a time-out says as much as several refusals, and cost more. */
  failed: (weight: number) => void
  /** Open or on trial: calls end at once. */
  isOpen: () => boolean
}

/** Weights of failures in a row. */
const ROW = 4
/** Or half of so many last calls. */
const LAST = 20
const FIRST_OPEN_MS = 1_000
const LONGEST_OPEN_MS = 5_000

/** Opens for 1 s, doubling to 5 s while trials fail; its first success closes it. */
export function createBreaker({ clock, random }: { clock: Clock; random: Random }): Breaker {
  let state: 'closed' | 'open' | 'trial' = 'closed'
  let row = 0
  let last: boolean[] = []
  let openings = 0
  let openUntilMs = 0

  function open(): void {
    const openMs = Math.min(FIRST_OPEN_MS * 2 ** Math.min(openings, 10), LONGEST_OPEN_MS)
    openings += 1
    openUntilMs = clock.now() + openMs * (0.8 + 0.4 * random.fraction())
    state = 'open'
  }

  function note(failed: boolean): void {
    last = [...last, failed].slice(-LAST)
  }

  return {
    isOpen: () => state !== 'closed',
    allows() {
      if (state === 'closed') return true
      if (state === 'trial' || clock.now() < openUntilMs) return false
      state = 'trial'
      return true
    },
    succeeded() {
      row = 0
      note(false)
      if (state === 'closed') return
      // Also by a call from before it opened: whoever answers is there.
      state = 'closed'
      openings = 0
      last = []
    },
    failed(weight) {
      row += weight
      note(true)
      if (state === 'trial') open()
      if (state !== 'closed') return
      const half = last.length === LAST && last.filter(Boolean).length >= LAST / 2
      if (row >= ROW || half) open()
    },
  }
}
