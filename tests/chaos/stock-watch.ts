/** Owns looking at stock levels while the run goes on: each look is one statement, so it sees one moment. */
import { checkSample, type Sample } from './checks/stock.ts'
import type { Violation } from './checks/violation.ts'
import type { Shelf, Shelves } from './intents.ts'
import type { Superuser } from './superuser.ts'

export type StockWatch = {
  samples: () => number
  violations: Violation[]
  stop: () => Promise<void>
}

const EVERY_MS = 300

export function watchStock(superuser: Superuser, { plenty, scarce }: Shelves): StockWatch {
  const violations: Violation[] = []
  let samples = 0
  let stopped = false
  const look = async (shelf: Shelf) => {
    // While PostgreSQL is away there is nothing to see.
    const rows = await superuser.query<Sample>('products', LEVELS, [shelf.id]).catch(() => [])
    for (const row of rows) violations.push(...checkSample(row, shelf.stock))
    samples += rows.length
  }
  const run = async () => {
    for (let turn = 0; !stopped; turn += 1) {
      // Every second look is at a scarce one.
      const shelves = turn % 2 === 0 ? scarce : plenty
      const shelf = shelves[Math.floor(turn / 2) % shelves.length]
      if (shelf !== undefined) await look(shelf)
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    }
  }
  const running = run()
  return {
    violations,
    samples: () => samples,
    async stop() {
      stopped = true
      await running
    },
  }
}

const LEVELS = `
  select product_id, stocked, reserved, coalesce((
    select -sum(stocked_delta) from movements
    where movements.product_id = stock.product_id and kind in ('Sale', 'Cancellation')), 0) as sold
  from stock where product_id = $1`
