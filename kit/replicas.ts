/** Owns which replicas stand behind an origin, and which of them is asked next. */
import type { Fetch } from './world.ts'

/** For an origin (`http://127.0.0.1:5001`): the origins of the replicas behind it. */
export type ReplicaMap = Record<string, string[]>

export type BalancedFetch = {
  /** `fetch` to a peer; an origin without known replicas is asked itself. */
  fetch: Fetch
  /** What is known from now on, whole. */
  setReplicas: (replicas: ReplicaMap) => void
}

/** Sends each request to the replica with the fewest under way, in turn where several have as few. */
export function createBalancedFetch(fetch: Fetch): BalancedFetch {
  const known = new Map<string, string[]>()
  const underWay = new Map<string, number>()
  let turn = 0

  function choose(origin: string): string {
    const replicas = known.get(origin) ?? []
    turn += 1
    let best = origin
    let fewest = Infinity
    for (let n = 0; n < replicas.length; n += 1) {
      const replica = replicas[(turn + n) % replicas.length] ?? origin
      const count = underWay.get(replica) ?? 0
      if (count < fewest) [best, fewest] = [replica, count]
    }
    return best
  }

  return {
    setReplicas(replicas) {
      known.clear()
      for (const [origin, origins] of Object.entries(replicas)) known.set(origin, origins)
    },
    async fetch(url, init) {
      const { origin } = new URL(url)
      const replica = choose(origin)
      underWay.set(replica, (underWay.get(replica) ?? 0) + 1)
      try {
        return await fetch(replica + url.slice(origin.length), init)
      } finally {
        underWay.set(replica, (underWay.get(replica) ?? 1) - 1)
      }
    },
  }
}
