/** Owns which replicas stand behind an origin, which of them is asked next, and how a failed call is told apart. */
import type { Random } from './random.ts'
import type { Clock } from './time.ts'
import type { Fetch } from './world.ts'

/** For an origin (`http://127.0.0.1:5001`): the origins of the replicas behind it. */
export type ReplicaMap = Record<string, string[]>

export type BalancedFetch = {
  /** `fetch` to a peer; an origin without known replicas is asked itself. */
  fetch: Fetch
  /** What is known from now on, whole. */
  setReplicas: (replicas: ReplicaMap) => void
}

/**
 * How a call failed. `refused`: no connection was made, so nothing was sent. `reset`: the connection
 * broke, and what became of the request is unknown. `timeout`: so is it. `other`: the caller's own
 * doing, such as an abort.
 */
export type Failure = 'refused' | 'reset' | 'timeout' | 'other'

const REFUSED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/
const RESET = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET|ERR_STREAM_PREMATURE_CLOSE)$/
const TIMEOUT = /^(TimeoutError|UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)$/

/** Tells a failed `fetch` by the codes of the error and of its causes. */
export function failureOf(error: unknown): Failure {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = 'code' in at ? String(at.code) : at.name
    if (REFUSED.test(code)) return 'refused'
    if (RESET.test(code)) return 'reset'
    if (TIMEOUT.test(code) || TIMEOUT.test(at.name)) return 'timeout'
  }
  return 'other'
}

/** A replica that failed is left out for this long, twice as long each time, up to the longest. */
const FIRST_LEAVE_MS = 500
const LONGEST_LEAVE_MS = 10_000

type State = { underWay: number; failures: number; outUntilMs: number }

/**
 * Sends each request to the replica with the fewest under way (until the head of its answer), in turn
 * where several have as few. One that refused, reset or timed out is left out for a while; when all
 * are, the one that is back soonest is asked: balancing never fails a request by itself.
 */
export function createBalancedFetch(
  fetch: Fetch,
  { clock, random }: { clock: Clock; random: Random },
): BalancedFetch {
  let known = new Map<string, string[]>()
  const states = new Map<string, State>()
  let turn = 0

  function stateOf(replica: string): State {
    let state = states.get(replica)
    if (state === undefined) {
      state = { underWay: 0, failures: 0, outUntilMs: 0 }
      states.set(replica, state)
    }
    return state
  }

  function choose(origin: string): string {
    const replicas = known.get(origin) ?? []
    if (replicas.length < 2) return replicas[0] ?? origin
    turn += 1
    const inTurn = [...replicas.slice(turn % replicas.length), ...replicas].slice(
      0,
      replicas.length,
    )
    const nowMs = clock.now()
    const cost = (replica: string) => {
      const { underWay, outUntilMs } = stateOf(replica)
      return outUntilMs > nowMs ? outUntilMs : underWay
    }
    return inTurn.reduce((best, replica) => (cost(replica) < cost(best) ? replica : best))
  }

  function leaveOut(state: State): void {
    const leaveMs = Math.min(LONGEST_LEAVE_MS, FIRST_LEAVE_MS * 2 ** state.failures)
    state.failures += 1
    state.outUntilMs = clock.now() + leaveMs * (0.5 + random.fraction() / 2)
  }

  return {
    setReplicas(replicas) {
      known = new Map(Object.entries(replicas))
      const all = new Set([...known.values()].flat())
      for (const replica of states.keys()) if (!all.has(replica)) states.delete(replica)
    },
    async fetch(url, init) {
      const { origin } = new URL(url)
      const replica = choose(origin)
      const state = stateOf(replica)
      state.underWay += 1
      try {
        const response = await fetch(replica + url.slice(origin.length), init)
        state.failures = 0
        state.outUntilMs = 0
        return response
      } catch (error) {
        if (failureOf(error) !== 'other') leaveOut(state)
        throw error
      } finally {
        state.underWay -= 1
      }
    },
  }
}
