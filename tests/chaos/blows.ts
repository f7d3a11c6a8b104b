/** Owns the plan of blows: who is struck, how, when and for how long; it follows from the seed alone. */
import { chanceOf, type Chance } from './chance.ts'

const SERVICES = ['users', 'products', 'orders', 'payments'] as const
export type Struck = (typeof SERVICES)[number] | 'gateway' | 'provider' | 'postgres' | 'nats'

/**
 * killed: -9. lostCommit: -9 between a commit and its answer. frozen: stopped, and continued. slow:
 * stopped for four fifths of the time. cut: all connections of the service's database are terminated.
 * backendKilled: -9 of one process of PostgreSQL's, upon which it ends all others. wiped: -9, and all
 * that it had stored is gone.
 */
export type Way = 'killed' | 'lostCommit' | 'frozen' | 'slow' | 'cut' | 'backendKilled' | 'wiped'

export type Blow = {
  number: number
  victim: Struck
  way: Way
  /** So many orders have begun before it falls. */
  afterOrders: number
  /** At least so long after the blow before. */
  gapMs: number
  /** How long it is frozen, slow or away. */
  lengthMs: number
  /** Which replica or process is struck: in [0, 1). */
  which: number
}

const VICTIMS: Record<Struck, number> = {
  users: 7,
  products: 16,
  orders: 17,
  payments: 16,
  gateway: 13,
  postgres: 11,
  provider: 10,
  nats: 7,
}

const SERVICE_WAYS = { killed: 32, lostCommit: 22, frozen: 22, slow: 14, cut: 10 }
const WAYS: Record<Struck, Partial<Record<Way, number>>> = {
  users: SERVICE_WAYS,
  products: SERVICE_WAYS,
  orders: SERVICE_WAYS,
  payments: SERVICE_WAYS,
  gateway: { killed: 50, frozen: 30, slow: 20 },
  postgres: { killed: 40, backendKilled: 25, frozen: 20, slow: 15 },
  provider: { killed: 45, frozen: 35, slow: 20 },
  nats: { killed: 40, frozen: 20, slow: 15, wiped: 25 },
}

export type BlowOptions = {
  seed: number
  kills: number
  orders: number
  /** What can be struck here; NATS may be missing. */
  victims: readonly Struck[]
  /** The mean of the gaps. */
  gapMs: number
}

/** All blows, spread over the orders: the last falls while the last of them go on. */
export function planBlows({ seed, kills, orders, victims, gapMs }: BlowOptions): Blow[] {
  const weights = Object.fromEntries(victims.map((victim) => [victim, VICTIMS[victim]]))
  return Array.from({ length: kills }, (_, number) => {
    const chance = chanceOf(seed, 'blow', number)
    const victim = chance.weighted(weights as Record<Struck, number>)
    const way = chance.weighted(WAYS[victim] as Record<Way, number>)
    return {
      number,
      victim,
      way,
      afterOrders: Math.floor((orders * (number + chance.fraction())) / kills),
      gapMs: Math.round(gapMs * (0.3 + 1.4 * chance.fraction())),
      lengthMs: lengthOf(victim, way, chance),
      which: chance.fraction(),
    }
  })
}

// A freeze is shorter than the leases, longer than them (it wakes up when another has taken over), or
// longer than the 2 s after which the supervisor replaces the process.
function lengthOf(victim: Struck, way: Way, chance: Chance): number {
  if (way === 'slow') return chance.between(800, 2_000)
  if (way !== 'frozen') return chance.between(100, 1_000)
  const lengths = [chance.between(100, 900), chance.between(1_300, 1_900)]
  const isSupervised = victim !== 'postgres' && victim !== 'nats'
  return chance.pick(isSupervised ? [...lengths, chance.between(2_500, 4_000)] : lengths)
}
