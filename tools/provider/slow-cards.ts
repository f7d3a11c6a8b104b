/** Owns the waking up for charges in `processing`: each is concluded when it is due, also after a restart. */
import type { Clock, Timers } from '@quartet/kit/time'
import { settle } from './actions.ts'
import type { Book } from './book.ts'
import type { Committer } from './committer.ts'

export type SlowCards = {
  /** Looks whether something is due, and sleeps until then. */
  wake: () => void
  stop: () => void
}

export type SlowCardsOptions = {
  book: Book
  clock: Clock
  timers: Timers
  commit: Committer['commit']
}

const RETRY_MS = 1_000

export function createSlowCards({ book, clock, timers, commit }: SlowCardsOptions): SlowCards {
  let forget: (() => void) | undefined
  let stopped = false

  const sleep = (delayMs: number) => {
    forget = timers.after(delayMs, () => {
      void concludeDue().then(
        () => again(),
        () => again(RETRY_MS), // the disk is full
      )
    })
  }
  const again = (atLeastMs = 0) => {
    forget = undefined
    // All wait equally long, so the first that came is the first that is due.
    const [first] = book.due.values()
    if (first !== undefined && !stopped) sleep(Math.max(first - clock.now(), atLeastMs))
  }
  const concludeDue = async () => {
    const nowMs = clock.now()
    const keys = [...book.due].filter(([, dueAtMs]) => dueAtMs <= nowMs).map(([key]) => key)
    if (keys.length > 0) await commit((draft) => keys.forEach((key) => settle(draft, key)))
  }

  return {
    wake() {
      if (forget === undefined) again()
    },
    stop() {
      stopped = true
      forget?.()
    },
  }
}
