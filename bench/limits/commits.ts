/** Owns how long commits take: the transactions of one checkout after another, by service. */
import type { World } from '../../kit/world.ts'
import { percentile } from '../percentile.ts'

/** Transactions of a checkout, and the milliseconds that they take together. */
export type CommitTimes = Record<string, { count: number; ms: number }>

export type CommitWatch = {
  /** The world, whose transactions are timed. */
  watch: <Config>(service: string, world: World<Config>) => World<Config>
  /** Ends a checkout, the only one under way. */
  next: () => void
  /** Medians over the checkouts so far, and begins anew. */
  read: () => CommitTimes
}

export function watchCommits(): CommitWatch {
  let current: CommitTimes = {}
  let ended: CommitTimes[] = []
  return {
    watch: (service, world) => ({
      ...world,
      db: {
        ...world.db,
        async transaction(work) {
          const startedMs = performance.now()
          try {
            return await world.db.transaction(work)
          } finally {
            const { count, ms } = current[service] ?? { count: 0, ms: 0 }
            current[service] = { count: count + 1, ms: ms + performance.now() - startedMs }
          }
        },
      },
    }),
    next() {
      ended.push(current)
      current = {}
    },
    read() {
      const names = new Set(ended.flatMap((each) => Object.keys(each)))
      const median = (values: number[]) => percentile(values, 0.5)
      const times = [...names].map((name) => {
        const of = ended.map((each) => each[name] ?? { count: 0, ms: 0 })
        const count = median(of.map((each) => each.count))
        return [name, { count, ms: median(of.map(({ ms }) => ms)) }] as const
      })
      ended = []
      return Object.fromEntries(times)
    },
  }
}

/** Several readings as one. */
export function meanOf(readings: CommitTimes[]): CommitTimes {
  const names = new Set(readings.flatMap((each) => Object.keys(each)))
  const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length
  const means = [...names].map((name) => {
    const of = readings.map((each) => each[name] ?? { count: 0, ms: 0 })
    return [
      name,
      { count: mean(of.map((each) => each.count)), ms: mean(of.map((each) => each.ms)) },
    ]
  })
  return Object.fromEntries(means) as CommitTimes
}
