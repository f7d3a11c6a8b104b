/** Owns reading one product: who asks at the same time shares a statement, who asks a moment later its answer. */
import { createBatcher } from '@quartet/kit/batch'
import type { World } from '@quartet/kit/world'
import { findProducts, type Listing } from './store/catalog.ts'

/** What `GET /products/:id` answers with, ready to be sent. */
type Answer = { body: string; headers: Record<string, string> }

export type Shelf = {
  read: (id: string) => Promise<Listing | undefined>
  /** The answer that was given at most `FRESH_MS` ago, if nothing was changed here since. */
  answer: (id: string) => Answer | undefined
  keep: (id: string, answer: Answer) => void
  /** These were changed: what was read meanwhile is not kept either. */
  forget: (ids: Iterable<string>) => void
}

/**
 * How old an answer may be that was not changed here: another replica may have sold a unit since.
 * What is left is only true for a moment anyway; a reservation asks the row.
 */
const FRESH_MS = 1_000
const MAX_KEPT = 10_000

export function createShelf({
  db,
  clock,
  timers,
}: Pick<World<unknown>, 'db' | 'clock' | 'timers'>): Shelf {
  // An entry without an answer keeps out what was read before the change and comes after it.
  const kept = new Map<string, { answer: Answer | undefined; untilMs: number }>()
  const entry = (id: string) => {
    const found = kept.get(id)
    return found !== undefined && found.untilMs > clock.now() ? found : undefined
  }
  const put = (id: string, answer: Answer | undefined) => {
    if (kept.size >= MAX_KEPT) kept.clear()
    kept.set(id, { answer, untilMs: clock.now() + FRESH_MS })
  }
  const reading = createBatcher<string, Listing | undefined>({
    name: 'reading',
    timers,
    lanes: 2,
    run: async (ids) => {
      const found = await findProducts(db, [...new Set(ids)])
      return ids.map((id) => found.get(id))
    },
  })
  return {
    read: reading.add,
    answer: (id) => entry(id)?.answer,
    keep(id, answer) {
      if (entry(id) === undefined) put(id, answer)
    },
    forget(ids) {
      for (const id of ids) put(id, undefined)
    },
  }
}
