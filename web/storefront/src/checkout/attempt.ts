/** Owns seeing one order through: sent under one key until its end is definite, never twice. */
import { NoAnswer, Refusal, type ProblemDocument } from '../api/ask.ts'
import type { Order, PlaceOrder } from '../api/contracts.ts'
import type { Attempt } from '../cart/cart.ts'

/** How an attempt ended; `signed_out`: nobody is logged in any more, and `may_exist` says whether an order can be there. */
export type Outcome =
  | { kind: 'placed'; order: Order }
  | { kind: 'refused'; problem: ProblemDocument }
  | { kind: 'signed_out'; may_exist: boolean }

export type Settling = {
  send: (attempt: Attempt) => Promise<Order>
  /** Waits, less long when the connection comes back; rejects when the buyer leaves the page. */
  wait: (ms: number) => Promise<void>
  /** Told before every wait: how many tries had no answer. */
  onNoAnswer: (tries: number, error: NoAnswer) => void
}

const FIRST_WAIT_MS = 700
const LONGEST_WAIT_MS = 8_000

/** Whether two orders ask for the same; then they share a key. */
export const isSame = (one: PlaceOrder, other: PlaceOrder): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

/**
 * Sends an attempt until somebody says how it ended. A lost connection, a service that is down or a
 * page that was reloaded in between change nothing: the key is the same, and so is the order.
 */
export async function settle(
  attempt: Attempt,
  { send, wait, onNoAnswer }: Settling,
): Promise<Outcome> {
  for (let tries = 0; ; tries += 1) {
    try {
      return { kind: 'placed', order: await send(attempt) }
    } catch (error) {
      if (error instanceof Refusal) return ended(error.problem, tries)
      if (!(error instanceof NoAnswer)) throw error
      onNoAnswer(tries + 1, error)
      const backOffMs = Math.min(FIRST_WAIT_MS * 2 ** tries, LONGEST_WAIT_MS)
      await wait(Math.max(backOffMs, error.retryAfterMs ?? 0))
    }
  }
}

function ended(problem: ProblemDocument, tries: number): Outcome {
  if (problem.status === 401) return { kind: 'signed_out', may_exist: tries > 0 }
  return { kind: 'refused', problem }
}
