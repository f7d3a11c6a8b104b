/** Owns trying again after failures: longer waits with jitter, and one line in the log for each new reason. */
import type { Fields } from './log.ts'
import { unlessAborted } from './timeout.ts'
import type { World } from './world.ts'

export type BackOff = {
  /** What was tried works, or works again. */
  succeeded: () => void
  /** Waits before the next try, longer after each failure; ends at once when `stopping` aborts. */
  failed: (reason: unknown, stopping: AbortSignal) => Promise<void>
}

/** What the log says of failures and of their end. */
export type BackOffWords = { fails: string; works: string; fields: Fields }

const MIN_MS = 100
const MAX_MS = 5_000

export function createBackOff(
  { timers, random, log }: Pick<World<unknown>, 'timers' | 'random' | 'log'>,
  { fails, works, fields }: BackOffWords,
): BackOff {
  let failures = 0
  let lastSaid = ''
  return {
    succeeded() {
      if (failures > 0) log.info(fields, works)
      failures = 0
      lastSaid = ''
    },
    async failed(reason, stopping) {
      failures += 1
      const said = reason instanceof Error ? reason.message : String(reason)
      if (said !== lastSaid) log.warn({ error: reason, ...fields }, fails)
      lastSaid = said
      const ceilingMs = Math.min(MAX_MS, MIN_MS * 2 ** Math.min(failures, 10))
      const over = Promise.withResolvers<void>()
      const cancel = timers.after(ceilingMs * (0.5 + random.fraction() / 2), over.resolve)
      await unlessAborted(stopping, over.promise)
        .catch(() => {})
        .finally(cancel)
    },
  }
}
