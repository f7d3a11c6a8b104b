/** Owns how much of the gateway one service may take: what hangs in one leaves room for the others. */
import { unavailable } from './retry.ts'

export type Bulkhead = {
  /** Runs `work` in the room of a service; a 503 problem when that is full. */
  within: <Result>(service: string, work: () => Promise<Result>) => Promise<Result>
}

/** At most `maxUnderWay` requests at once per service, until the head of their answer. */
export function createBulkhead(maxUnderWay: number): Bulkhead {
  const underWay = new Map<string, number>()
  return {
    async within(service, work) {
      const count = underWay.get(service) ?? 0
      if (count >= maxUnderWay) throw unavailable(service)
      underWay.set(service, count + 1)
      try {
        return await work()
      } finally {
        underWay.set(service, (underWay.get(service) ?? 1) - 1)
      }
    },
  }
}
