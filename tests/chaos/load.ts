/** Owns the load: customers with their orders, a bounded number at once, each seen to its end. */
import { setTimeout } from 'node:timers/promises'
import type { Account } from './accounts.ts'
import { GaveUp } from './asker.ts'
import { behaviours } from './behaviours.ts'
import type { Customer, Street } from './customer.ts'
import { intentOf, type Kind } from './intents.ts'
import type { Pace } from './pace.ts'
import { newStory } from './story.ts'

export type LoadOptions = {
  seed: number
  orders: number
  /** How many buy at the same time. */
  buyers: number
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

/** Beside those who buy, so many at most wait for the bank, or for the end of their time. */
const MOST_WAITING = 400
const PATIENCE_MS = { waiting: 500, buying: 8_000 }
const WAITING = new Set<Kind>(['neverPays', 'neverDecides', 'meetsOddities'])

export function startLoad(options: LoadOptions): Load {
  const { seed, orders, buyers, street, pace, signal } = options
  const living = new Set<Promise<void>>()
  const toBeFree: (() => void)[] = []
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
        toBeFree.shift()?.()
      })
      living.add(life)
      // Who waits for long, such as for the bank, makes room for the next.
      await Promise.race([life, setTimeout(patienceMs(seed, n, street), undefined, { ref: false })])
      while (living.size >= buyers + MOST_WAITING) {
        await new Promise<void>((free) => void toBeFree.push(free))
      }
    }
  }
  const all = async () => {
    await Promise.all(Array.from({ length: buyers }, buyer))
    await Promise.all(living)
  }
  return { done: all(), begun: () => next, over: () => over }
}

const patienceMs = (seed: number, n: number, { shelves }: Street): number =>
  WAITING.has(intentOf(seed, n, shelves).kind) ? PATIENCE_MS.waiting : PATIENCE_MS.buying

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
