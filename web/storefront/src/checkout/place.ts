/** Owns placing the order of this browser: one at a time, whichever tab, click or reload it comes from. */
import { ask, type NoAnswer } from '../api/ask.ts'
import type { Order, PlaceOrder } from '../api/contracts.ts'
import { newKey } from '../api/key.ts'
import { takeOut, type Attempt } from '../cart/cart.ts'
import { changeCart, readCart } from '../cart/cart-store.ts'
import { isSame, settle, type Outcome } from './attempt.ts'

/** `elsewhere`: another tab has ordered what was in the cart. */
export type Placed = Outcome | { kind: 'elsewhere'; order_id: string }

export type Watch = {
  signal: AbortSignal
  onNoAnswer: (tries: number, error: NoAnswer) => void
}

/** Who orders; a guest becomes one here, and in one tab alone. */
export type Buyer = () => Promise<{ id: string }>

/** Places an order, or goes on with the one that was under way: never two. */
export function placeOrder(buyer: Buyer, order: PlaceOrder, watch: Watch): Promise<Placed> {
  return exclusively(watch.signal, async () => {
    const { attempt, lines, last_order_id } = readCart()
    if (lines.length === 0 && last_order_id !== null) {
      return { kind: 'elsewhere', order_id: last_order_id }
    }
    const { id: ownerId } = await buyer()
    const open = attempt?.owner_id === ownerId ? attempt : null
    if (open !== null && !isSame(open.order, order)) {
      // What became of it is not known: that comes first, or there might be two.
      const earlier = await see(open, watch)
      if (earlier.kind !== 'refused') return earlier
    }
    const isNew = open === null || !isSame(open.order, order)
    const next = isNew ? { key: newKey(), owner_id: ownerId, order } : open
    return see(next, watch, isNew)
  })
}

/** Goes on with an order that a reload or a closed tab has left open. */
export function resumeOrder(ownerId: string, watch: Watch): Promise<Placed | undefined> {
  return exclusively(watch.signal, async () => {
    const { attempt } = readCart()
    return attempt?.owner_id === ownerId ? see(attempt, watch) : undefined
  })
}

async function see(attempt: Attempt, watch: Watch, isNew = false): Promise<Outcome> {
  changeCart((cart) => ({ ...cart, attempt }))
  const outcome = await settle(attempt, {
    send: ({ key, order }) => ask<Order>('/api/orders', { body: order, key, signal: watch.signal }),
    wait: (ms) => waitOrOnline(ms, watch.signal),
    onNoAnswer: watch.onNoAnswer,
  })
  changeCart((cart) => {
    if (outcome.kind === 'placed') return takeOut(cart, attempt.order, outcome.order.id)
    const isOver = outcome.kind === 'refused' || (isNew && !outcome.may_exist)
    return isOver ? { ...cart, attempt: null } : cart
  })
  return outcome
}

// Tabs of one browser wait for each other. Where there are no locks (plain http from another
// machine) the shared key is what is left, and it is enough: the shop answers with the same order.
function exclusively<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
  const locks = navigator.locks as LockManager | undefined
  if (locks === undefined) return task()
  return locks.request('fermata.checkout', { signal }, task) as Promise<Result>
}

function waitOrOnline(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      window.removeEventListener('online', goOn)
      signal.removeEventListener('abort', leave)
    }
    const goOn = () => {
      stop()
      resolve()
    }
    const leave = () => {
      stop()
      reject(signal.reason as Error)
    }
    const timer = setTimeout(goOn, ms)
    window.addEventListener('online', goOn)
    signal.addEventListener('abort', leave)
  })
}
