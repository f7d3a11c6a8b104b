/** Owns the load: customers with their orders, a bounded number at once, each seen to its end. */
import type { Account } from './accounts.ts'
import { GaveUp } from './asker.ts'
import { behaviours } from './behaviours.ts'
import type { Customer, Street } from './customer.ts'
import { intentOf } from './intents.ts'
import type { Pace } from './pace.ts'
import { newStory } from './story.ts'

export type LoadOptions = {
  seed: number
  orders: number
  accounts: Account[]
  street: Street
  pace: Pace
  signal: AbortSignal
}

export type Load = {
  /** Resolves when every customer knows the end, or has given up. */
  done: Promise<void>
  begun: () => number
  over: () => number
}

/** Customers who buy at once; and who wait for the bank, or for the end, beside them. */
const MOST_WAITING = 600
const IMPATIENCE_MS = 1_500

export function startLoad(options: LoadOptions): Load {
  const { orders, accounts, street, pace, signal } = options
  const living = new Set<Promise<void>>()
  let next = 0
  let over = 0
  const buyer = async () => {
    while (next < orders && !signal.aborted) {
      const n = next
      next += 1
      await pace.order(n)
      const life = live(options, n).finally(() => {
        living.delete(life)
        over += 1
      })
      living.add(life)
      // Who waits for long, such as for the bank, makes room for the next.
      await Promise.race([life, street.asker.sleep(IMPATIENCE_MS)])
      while (living.size >= MOST_WAITING) await Promise.race(living)
    }
  }
  const all = async () => {
    await Promise.all(Array.from({ length: accounts.length }, buyer))
    await Promise.all(living)
  }
  return { done: all(), begun: () => next, over: () => over }
}

async function live({ seed, accounts, street }: LoadOptions, n: number): Promise<void> {
  const account = accounts[n % accounts.length]
  if (account === undefined) throw new Error('no accounts')
  const intent = intentOf(seed, n, street.shelves)
  const story = newStory(n, intent.kind, account.id)
  street.stories.push(story)
  const customer: Customer = { intent, account, story, street }
  try {
    await behaviours[intent.kind](customer)
    story.isOver = true
  } catch (error) {
    const what = error instanceof GaveUp ? error.message : `the customer failed: ${String(error)}`
    story.complaints.push(what)
  }
}
