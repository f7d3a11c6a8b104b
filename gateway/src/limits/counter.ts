/** Owns counting requests by key and minute: decided at once from what is known here, shared with the other replicas behind. */
import type { World } from '@quartet/kit/world'

/** Counts that all replicas share. */
export type SharedCounts = {
  /** Adds to the counts of a minute; gives each key's total, of all replicas. */
  add: (minute: number, counts: Map<string, number>) => Promise<Map<string, number>>
}

export type Counter = {
  /** Counts one request of `key`; when it has made `limit` in this minute, seconds until it may again. */
  take: (key: string, limit: number) => number | undefined
}

const MINUTE_MS = 60_000
/** Counts go to the others this often while there are any, so a limit may be passed by what comes meanwhile. */
const SHARE_MS = 500
/** Keys a minute, at most; what is past them is not counted. */
const MAX_KEYS = 100_000

type Count = {
  /** Made here, and not yet told to the others. */
  own: number
  /** Made anywhere, as last heard. */
  all: number
}

/** Without `shared` each replica counts for itself. */
export function createCounter(
  { clock, timers, log }: Pick<World<unknown>, 'clock' | 'timers' | 'log'>,
  shared: SharedCounts | undefined,
): Counter {
  let minute = 0
  let counts = new Map<string, Count>()
  let isSharing = false

  function countOf(key: string): Count | undefined {
    let count = counts.get(key)
    if (count === undefined && counts.size < MAX_KEYS) {
      count = { own: 0, all: 0 }
      counts.set(key, count)
    }
    return count
  }

  async function share(): Promise<void> {
    const [told, toldMinute] = [counts, minute]
    const news = new Map([...told].flatMap(([key, { own }]) => (own === 0 ? [] : [[key, own]])))
    if (news.size === 0 || shared === undefined) return
    const totals = await shared.add(toldMinute, news)
    for (const [key, own] of news) {
      const count = told.get(key)
      if (count === undefined) continue
      count.own -= own
      count.all = totals.get(key) ?? count.all + own
    }
  }

  function shareSoon(): void {
    if (isSharing || shared === undefined) return
    isSharing = true
    timers.after(SHARE_MS, () => {
      share()
        // Counting goes on here: a limit that is not shared is better than no shop.
        .catch((error: unknown) => log.warn({ error }, 'rate limits are not shared now'))
        .finally(() => (isSharing = false))
    })
  }

  return {
    take(key, limit) {
      const nowMs = clock.now()
      const current = Math.floor(nowMs / MINUTE_MS)
      if (current !== minute) [minute, counts] = [current, new Map()]
      const count = countOf(key)
      if (count === undefined) return undefined
      if (count.own + count.all >= limit) {
        return Math.ceil(((current + 1) * MINUTE_MS - nowMs) / 1_000)
      }
      count.own += 1
      shareSoon()
      return undefined
    },
  }
}
