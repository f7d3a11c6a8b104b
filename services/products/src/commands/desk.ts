/** Owns how commands are taken: items checked one by one, gathered into batches, answered within a budget. */
import { createBatcher, type Batcher } from '@quartet/kit/batch'
import type { Sequencer } from '@quartet/kit/events'
import type { World } from '@quartet/kit/world'
import type { z } from 'zod'
import type { Config } from '../config.ts'
import {
  releaseItemSchema,
  reserveItemSchema,
  type ReleaseOutcome,
  type ReserveOutcome,
} from '../contract.ts'
import { release, reserve } from './reservations.ts'

/** The two commands: any items in, one outcome per item out, in order. */
export type Desk = {
  reserve: (items: unknown[]) => Promise<ReserveOutcome[]>
  release: (items: unknown[]) => Promise<ReleaseOutcome[]>
}

// Several at once, so that batches over different products don't wait for each other.
const LANES = 3

/** Takes commands; what isn't done within COMMAND_BUDGET_MS goes on and is answered `processing` (rule 4). */
export function createDesk(world: World<Config>, sequencer: Sequencer): Desk {
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
  const reserving = lane('reserve', (items: z.output<typeof reserveItemSchema>[]) =>
    reserve(world, items),
  )
  const releasing = lane('release', (items: z.output<typeof releaseItemSchema>[]) =>
    release(world, items),
  )
  return {
    reserve: (items) =>
      answerAll<ReserveOutcome, typeof reserveItemSchema>(
        world,
        items,
        reserveItemSchema,
        reserving,
      ),
    release: (items) =>
      answerAll<ReleaseOutcome, typeof releaseItemSchema>(
        world,
        items,
        releaseItemSchema,
        releasing,
      ),
  }
}

type Undecided = { order_id: string; outcome: 'processing' | 'invalid' }

async function answerAll<Outcome, Schema extends z.ZodType<{ order_id: string }>>(
  world: World<Config>,
  items: unknown[],
  schema: Schema,
  batcher: Batcher<z.output<Schema>, Outcome>,
): Promise<(Outcome | Undecided)[]> {
  const budget = createBudget(world)
  const answers = items.map(async (item): Promise<Outcome | Undecided> => {
    const parsed = schema.safeParse(item)
    if (!parsed.success) return { order_id: orderIdOf(item), outcome: 'invalid' }
    const { order_id } = parsed.data
    const outcome = batcher.add(parsed.data).catch((error: unknown): Undecided => {
      world.log.warn({ error, order_id }, 'a command failed; its outcome is unknown')
      return { order_id, outcome: 'processing' }
    })
    const over = budget.over.then((): Undecided => ({ order_id, outcome: 'processing' }))
    return Promise.race([outcome, over])
  })
  try {
    return await Promise.all(answers)
  } finally {
    budget.cancel()
  }
}

function createBudget({ timers, config }: World<Config>) {
  let cancel = () => {}
  const over = new Promise<void>((resolve) => {
    cancel = timers.after(config.COMMAND_BUDGET_MS, () => resolve())
  })
  return { over, cancel: () => cancel() }
}

// Of an item that can't be read, what its sender may know it by.
function orderIdOf(item: unknown): string {
  if (typeof item !== 'object' || item === null || !('order_id' in item)) return ''
  return typeof item.order_id === 'string' ? item.order_id.slice(0, 64).toWellFormed() : ''
}
