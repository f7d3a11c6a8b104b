/** Owns how many requests may be under way at once: learned from how long they take. */
import type { Clock } from './time.ts'

/** `browsing` gives way first; `work` is what the limit is kept for. */
export type Kind = 'browsing' | 'work'

/** A request that was let in. */
export type Ticket = { kind: Kind; startedMs: number; era: number }

export type AdaptiveLimit = {
  /** Lets a request in, or not: then nothing of it may be done. Each ticket must be left with. */
  enter: (kind: Kind) => Ticket | undefined
  /** `counts`: whether its time says something about this process, and not about whom it waited for. */
  leave: (ticket: Ticket, counts: boolean) => void
  current: () => number
  underWay: () => number
}

const MIN_LIMIT = 64
const MAX_LIMIT = 4_096
const FIRST_LIMIT = 1_024
const BROWSING_SHARE = 0.7
const WINDOW_MS = 100
/** Requests must be late for this long, one window after another: a pause that passes sheds nobody. */
const LATE_FOR_MS = 300
/** Windows with fewer requests say nothing. */
const MIN_SAMPLES = 5
/** A window is late when more than this part of its requests took longer than the target. */
const LATE_SHARE = 0.1

type Window = {
  startedMs: number
  done: number
  late: number
  totalMs: number
  mostUnderWay: number
}

const newWindow = (startedMs: number): Window => ({
  startedMs,
  done: 0,
  late: 0,
  totalMs: 0,
  mostUnderWay: 0,
})

/**
 * A limit that keeps nine of ten requests within `targetMs`. By Little's law requests that take W
 * with L under way take the target with L × target / W: a limit that is too high is set to that at
 * once, and judged again only by requests that came after. It grows while it is reached and requests
 * are in time: by a quarter a window when they are far from late, else by a fiftieth.
 */
export function createAdaptiveLimit(
  { clock }: { clock: Clock },
  { targetMs }: { targetMs: number },
): AdaptiveLimit {
  let limit = FIRST_LIMIT
  let underWay = 0
  let era = 0
  let lateSinceMs: number | undefined
  let window = newWindow(clock.now())

  function judge({ done, late, totalMs, mostUnderWay }: Window, nowMs: number): void {
    if (done < MIN_SAMPLES) return
    const isLate = late > done * LATE_SHARE
    if (!isLate) {
      lateSinceMs = undefined
      if (mostUnderWay >= limit * BROWSING_SHARE) limit = grown(limit, totalMs / done, targetMs)
      return
    }
    lateSinceMs ??= nowMs - WINDOW_MS
    if (nowMs - lateSinceMs < LATE_FOR_MS) return
    const fits = targetMs / (totalMs / done)
    // What browsing alone had reached is its share of the limit, not all of it.
    const reached = Math.min(limit, mostUnderWay / BROWSING_SHARE)
    limit = Math.max(MIN_LIMIT, Math.floor(reached * Math.min(0.95, Math.max(0.3, fits))))
    era += 1
  }

  function turn(nowMs: number): void {
    if (nowMs - window.startedMs < WINDOW_MS && nowMs >= window.startedMs) return
    judge(window, nowMs)
    window = newWindow(nowMs)
    window.mostUnderWay = underWay
  }

  return {
    enter(kind) {
      const nowMs = clock.now()
      turn(nowMs)
      const room = kind === 'work' ? limit : limit * BROWSING_SHARE
      if (underWay >= room) return undefined
      underWay += 1
      if (underWay > window.mostUnderWay) window.mostUnderWay = underWay
      return { kind, startedMs: nowMs, era }
    },
    leave(ticket, counts) {
      const nowMs = clock.now()
      turn(nowMs)
      underWay -= 1
      if (!counts || ticket.era !== era) return
      const tookMs = Math.max(0, nowMs - ticket.startedMs)
      window.done += 1
      window.totalMs += tookMs
      if (tookMs > targetMs) window.late += 1
    },
    current: () => limit,
    underWay: () => underWay,
  }
}

function grown(limit: number, meanMs: number, targetMs: number): number {
  const step = meanMs < targetMs / 4 ? limit / 4 : Math.max(4, limit / 50)
  return Math.min(MAX_LIMIT, Math.ceil(limit + step))
}
