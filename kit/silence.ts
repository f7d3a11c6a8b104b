/** Owns noticing that a server has fallen silent: frozen, or behind a wire that swallows everything. */
import type { Timers } from './time.ts'

export type SilenceWatch = {
  /**
   * Gives what the answer is. Rejects with ETIMEDOUT as soon as the server is found to be silent, and
   * at once, without asking, as long as it is.
   */
  unlessSilent: <Answer>(ask: () => Promise<Answer>) => Promise<Answer>
  /**
   * The server has answered. What `unlessSilent` gives is no proof of it: a connection may have lain
   * idle here.
   */
  heard: () => void
  stop: () => void
}

export type SilenceOptions = {
  timers: Timers
  /** Asks the server for a mere word; whether it came in time. */
  speaks: () => Promise<boolean>
  onChange: (isSilent: boolean) => void
}

/** Where somebody waits and nobody was answered for so long, the server is doubted. */
const QUIET_MS = 1_000
/** While it is silent it is tried this often. */
const AGAIN_MS = 500

/**
 * One question that takes long says nothing, and a server that works on many answers some of them; so
 * one that is doubted is asked for a word. Without this each question would wait until its own limit is
 * over, which must be as long as the longest answer.
 */
export function createSilenceWatch({ timers, speaks, onChange }: SilenceOptions): SilenceWatch {
  const waiting = new Set<(error: Error) => void>()
  let answers = 0
  let isSilent = false
  let isWatching = false
  let isStopped = false
  let cancel = () => {}

  function watch(): void {
    isWatching = !isStopped && (isSilent || waiting.size > 0)
    if (!isWatching) return
    const seen = answers
    const doubt = async () => {
      const isDoubted = isSilent || (answers === seen && waiting.size > 0)
      if (isDoubted) note(await speaks(), seen)
      watch()
    }
    cancel = timers.after(isSilent ? AGAIN_MS : QUIET_MS, () => void doubt())
  }

  function note(hasSpoken: boolean, seen: number): void {
    const wasSilent = isSilent
    // Whoever got an answer meanwhile knows better.
    isSilent = !hasSpoken && answers === seen
    if (isSilent !== wasSilent) onChange(isSilent)
    if (!isSilent) return
    for (const fail of waiting) fail(fallenSilent())
    waiting.clear()
  }

  return {
    unlessSilent<Answer>(ask: () => Promise<Answer>) {
      return new Promise<Answer>((resolve, reject) => {
        if (isSilent) {
          // Whoever asks again at once, all the time, must not keep everybody else from their turn.
          timers.after(0, () => reject(fallenSilent()))
          return
        }
        waiting.add(reject)
        ask()
          .finally(() => waiting.delete(reject))
          .then(resolve, reject)
        if (!isWatching) watch()
      })
    },
    heard() {
      answers += 1
    },
    stop() {
      isStopped = true
      cancel()
    },
  }
}

const fallenSilent = () => Object.assign(new Error('it does not answer'), { code: 'ETIMEDOUT' })
