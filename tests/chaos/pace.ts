/** Owns how load and blows wait for each other: no blow before its orders have begun, no order far past a blow that is due. */

export type Pace = {
  /** Resolves when order `n` may begin. */
  order: (n: number) => Promise<void>
  /** Resolves when so many orders have begun, or no more will. */
  begun: (orders: number) => Promise<void>
  /** A blow has fallen. */
  fell: () => void
  /** No more orders, or no more blows: whoever waits goes on. */
  over: () => void
}

export function createPace(afterOrders: readonly number[], slack: number): Pace {
  let begun = 0
  let fallen = 0
  let isOver = false
  const waiting = new Set<{ holds: () => boolean; go: () => void }>()
  const look = () => {
    for (const each of waiting) {
      if (!isOver && !each.holds()) continue
      waiting.delete(each)
      each.go()
    }
  }
  const when = async (holds: () => boolean): Promise<void> => {
    if (isOver || holds()) return
    await new Promise<void>((go) => waiting.add({ holds, go }))
  }
  return {
    async order(n) {
      await when(() => n <= (afterOrders[fallen] ?? Infinity) + slack)
      begun += 1
      look()
    },
    begun: (orders) => when(() => begun >= orders),
    fell() {
      fallen += 1
      look()
    },
    over() {
      isOver = true
      look()
    },
  }
}
