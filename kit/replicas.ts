/** Owns which replicas stand behind an origin, which of them is asked next, and which is left out for a while. */
import { failureOf } from './failure.ts'
import { realRandom, type Random } from './random.ts'
import { realClock, type Clock } from './time.ts'
import type { Fetch } from './world.ts'

export { failureOf, type Failure } from './failure.ts'

/** For an origin (`http://127.0.0.1:5001`): the origins of the replicas behind it. */
export type ReplicaMap = Record<string, string[]>

export type BalancedFetch = {
  /** `fetch` to a peer; an origin without known replicas is asked itself. */
  fetch: Fetch
  /** What is known from now on, whole. */
  setReplicas: (replicas: ReplicaMap) => void
}

type Replica = {
  origin: string
  /** Requests without a response head: what follows it says nothing of how busy the replica is. */
  underWay: number
  /** Failures in a row; 0 while it is in. */
  failures: number
  outUntilMs: number
  /** One request asks a replica whose time out is over. */
  onTrial: boolean
  /** Counts how often it was put out: what was asked before says nothing about now. */
  era: number
}

type Group = { replicas: Replica[]; turn: number }

const FIRST_OUT_MS = 1_000
const LONGEST_OUT_MS = 10_000
/** A caller that gave up sooner than this was in a hurry, which is not the replica's fault. */
const PATIENT_MS = 1_000

/**
 * Sends each request to the replica with the fewest under way, in turn where several have as few. One
 * that refused, reset or let time out is left out for 1 s, doubling to 10 s, and then tried by one
 * request. When all are out, the one that is back soonest is asked: a request never fails unasked.
 */
export function createBalancedFetch(
  fetch: Fetch,
  { clock, random }: { clock: Clock; random: Random } = { clock: realClock, random: realRandom },
): BalancedFetch {
  let groups = new Map<string, Group>()

  async function ask(replica: Replica, path: string, init?: RequestInit): Promise<Response> {
    const { era } = replica
    const startedMs = clock.now()
    replica.onTrial = replica.failures > 0
    replica.underWay += 1
    try {
      const response = await fetch(replica.origin + path, init)
      if (replica.era === era) replica.failures = 0
      return response
    } catch (error) {
      const isItsFault = blames(error, clock.now() - startedMs)
      if (replica.era === era && isItsFault) putOut(replica, clock.now(), random.fraction())
      throw error
    } finally {
      replica.underWay -= 1
      if (replica.era === era) replica.onTrial = false
    }
  }

  return {
    setReplicas(known) {
      const before = new Map(
        [...groups.values()].flatMap(({ replicas }) => replicas.map((each) => [each.origin, each])),
      )
      const replicaOf = (origin: string) => before.get(origin) ?? newReplica(origin)
      groups = new Map(
        Object.entries(known)
          .filter(([, origins]) => origins.length > 0)
          .map(([origin, origins]) => [origin, { replicas: origins.map(replicaOf), turn: 0 }]),
      )
    },
    async fetch(url, init) {
      const { origin } = new URL(url)
      const group = groups.get(origin)
      if (group === undefined) return fetch(url, init)
      return ask(choose(group, clock.now()), url.slice(origin.length), init)
    },
  }
}

const newReplica = (origin: string): Replica => ({
  origin,
  underWay: 0,
  failures: 0,
  outUntilMs: 0,
  onTrial: false,
  era: 0,
})

function choose(group: Group, nowMs: number): Replica {
  const { replicas } = group
  group.turn = (group.turn + 1) % replicas.length
  const inTurn = [...replicas.slice(group.turn), ...replicas.slice(0, group.turn)]
  const isIn = ({ failures, outUntilMs, onTrial }: Replica) =>
    failures === 0 || (outUntilMs <= nowMs && !onTrial)
  const leastBusy = (best: Replica, each: Replica) => (each.underWay < best.underWay ? each : best)
  const soonestBack = (best: Replica, each: Replica) =>
    each.outUntilMs < best.outUntilMs ? each : best
  const candidates = inTurn.filter(isIn)
  return candidates.length > 0 ? candidates.reduce(leastBusy) : inTurn.reduce(soonestBack)
}

function blames(error: unknown, waitedMs: number): boolean {
  const failure = failureOf(error)
  return failure === 'timeout' ? waitedMs >= PATIENT_MS : failure !== 'other'
}

function putOut(replica: Replica, nowMs: number, fraction: number): void {
  const outMs = Math.min(FIRST_OUT_MS * 2 ** Math.min(replica.failures, 10), LONGEST_OUT_MS)
  replica.failures += 1
  replica.era += 1
  replica.onTrial = false
  // Spread out, so that those who call it don't all come back at once.
  replica.outUntilMs = nowMs + outMs * (0.8 + 0.4 * fraction)
}
