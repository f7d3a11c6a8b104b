/** Owns how a command's items are answered: each checked apart, all gathered into batches, within a budget. */
import { z } from '@hono/zod-openapi'
import type { Batcher } from './batch.ts'
import { timeWithin } from './deadline.ts'
import type { World } from './world.ts'

/** The envelope of a command: 1 to `maxItems` items, which are checked apart, each for itself. */
export const commandSchema = (maxItems: number) =>
  z.strictObject({ items: z.array(z.unknown()).min(1).max(maxItems) }).openapi('Command')

/** An item that can't be read, or one that isn't finished within the budget: ask again by its key. */
export type Undecided = 'invalid' | 'processing'

export type ItemAnswers<Schema extends z.ZodType, Outcome> = {
  schema: Schema
  batcher: Batcher<z.output<Schema>, Outcome>
  /** After this long what isn't decided is answered `processing`; its work goes on. */
  budgetMs: number
  /** When the caller gives up: it is answered before that. */
  deadlineMs?: number | undefined
  /** The answer for an undecided item, which may be anything that JSON can say. */
  undecided: (item: unknown, outcome: Undecided) => Outcome
}

/** One answer per item, as the items stand; none waits for a slow neighbour, none fails with a bad one. */
export async function answerItems<Schema extends z.ZodType, Outcome>(
  { clock, timers, log }: Pick<World<unknown>, 'clock' | 'timers' | 'log'>,
  items: unknown[],
  { schema, batcher, budgetMs, deadlineMs, undecided }: ItemAnswers<Schema, Outcome>,
): Promise<Outcome[]> {
  let cancel = () => {}
  const over = new Promise<void>((resolve) => {
    cancel = timers.after(timeWithin(budgetMs, deadlineMs, clock), () => resolve())
  })
  const answers = items.map((item) => {
    const parsed = schema.safeParse(item)
    if (!parsed.success) return undecided(item, 'invalid')
    const outcome = batcher.add(parsed.data).catch((error: unknown) => {
      log.warn({ error }, 'a command failed; its outcome is unknown')
      return undecided(item, 'processing')
    })
    return Promise.race([outcome, over.then(() => undecided(item, 'processing'))])
  })
  try {
    return await Promise.all(answers)
  } finally {
    cancel()
  }
}

/** A string field of an item that may be anything: what its sender may know the answer by. */
export function fieldOf(item: unknown, name: string): string {
  if (typeof item !== 'object' || item === null) return ''
  const value: unknown = Object.getOwnPropertyDescriptor(item, name)?.value
  return typeof value === 'string' ? value.slice(0, 64).toWellFormed() : ''
}
