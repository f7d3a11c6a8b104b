/** Owns what is measured of customers' requests: outcomes, and how long nobody, or one of them, had a definite answer. */

export type Meters = {
  /** A request begins, which may take several tries; what it gives is called at its definite answer, or when it is given up. */
  begin: (what: string) => (isDefinite: boolean) => void
  /** What became of one try. */
  count: (what: string) => void
  outcomes: ReadonlyMap<string, number>
  /** So far: the longest time in which somebody asked and nobody got a definite answer. */
  longestSilenceMs: () => number
  longestRequest: () => { what: string; tookMs: number }
  definite: () => number
}

export function createMeters(now: () => number): Meters {
  const outcomes = new Map<string, number>()
  let underWay = 0
  let lastDefiniteMs = now()
  let silenceMs = 0
  let longest = { what: '', tookMs: 0 }
  let definite = 0
  return {
    outcomes,
    begin(what) {
      const startedMs = now()
      if (underWay === 0) lastDefiniteMs = startedMs // while nobody asks, nobody waits
      underWay += 1
      return (isDefinite) => {
        underWay -= 1
        if (!isDefinite) return
        silenceMs = Math.max(silenceMs, now() - lastDefiniteMs)
        const tookMs = now() - startedMs
        if (tookMs > longest.tookMs) longest = { what, tookMs }
        lastDefiniteMs = now()
        definite += 1
      }
    },
    count: (what) => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1),
    longestSilenceMs: () => silenceMs,
    longestRequest: () => longest,
    definite: () => definite,
  }
}
