/** Owns how commands are taken: reserve and release, each gathering into batches of its own. */
import { createBatcher } from '@quartet/kit/batch'
import { answerItems, fieldOf, type Undecided } from '@quartet/kit/commands'
import type { Sequencer } from '@quartet/kit/events'
import type { World } from '@quartet/kit/world'
import type { Config } from '../config.ts'
import {
  releaseItemSchema,
  reserveItemSchema,
  type ReleaseItem,
  type ReleaseOutcome,
  type ReserveItem,
  type ReserveOutcome,
} from '../contract/schemas.ts'
import type { Shelf } from '../shelf.ts'
import { productIdsOf } from '../store.ts'
import { release, reserve } from './reservations.ts'

/** The two commands: any items in, one outcome per item out, in order, before the caller gives up. */
export type Desk = {
  reserve: (items: unknown[], deadlineMs?: number) => Promise<ReserveOutcome[]>
  release: (items: unknown[], deadlineMs?: number) => Promise<ReleaseOutcome[]>
}

// Several at once, so that batches over different products don't wait for each other.
const LANES = 3

/** Takes commands; what isn't done within COMMAND_BUDGET_MS goes on and is answered `processing` (rule 4). */
export function createDesk(world: World<Config>, sequencer: Sequencer, shelf: Shelf): Desk {
  const lane = <Item, Outcome>(name: string, run: (items: Item[]) => Promise<Outcome[]>) =>
    createBatcher<Item, Outcome>({
      name,
      timers: world.timers,
      lanes: LANES,
      run: async (items) => {
        const outcomes = await run(items)
        sequencer.ring()
        return outcomes
      },
    })
  const reserving = lane('reserve', async (items: ReserveItem[]) => {
    const outcomes = await reserve(world, items)
    shelf.forget(productIdsOf(items))
    return outcomes
  })
  const releasing = lane('release', async (items: ReleaseItem[]) => {
    const { outcomes, productIds } = await release(world, items)
    shelf.forget(productIds)
    return outcomes
  })
  const how = { budgetMs: world.config.COMMAND_BUDGET_MS, undecided }
  return {
    reserve: (items, deadlineMs) =>
      answerItems(world, items, {
        ...how,
        deadlineMs,
        schema: reserveItemSchema,
        batcher: reserving,
      }),
    release: (items, deadlineMs) =>
      answerItems(world, items, {
        ...how,
        deadlineMs,
        schema: releaseItemSchema,
        batcher: releasing,
      }),
  }
}

const undecided = (item: unknown, outcome: Undecided) => ({
  order_id: fieldOf(item, 'order_id'),
  outcome,
})
