/** Owns batching: what arrives while a batch is in flight joins the next one. No timer, bounded queues. */
import { deadlineExceeded } from './deadline.ts'
import { Problem } from './problem.ts'
import { ConnectionLost, isDataError } from './postgres.ts'
import type { Clock, Timers } from './time.ts'

export type BatchOptions<Item, Outcome> = {
  /** Named in the error of a full queue. */
  name: string
  /** One outcome per item, as the items stand. Must be idempotent by the items' keys: it may run again. */
  run: (items: Item[]) => Promise<Outcome[]>
  timers: Timers
  /** Wanted where items have deadlines. */
  clock?: Clock
  /** Items a batch, at most. */
  maxSize?: number
  /** Items waiting, at most; one more is refused with 503 and Retry-After. */
  maxQueued?: number
  /** Batches in flight at once. */
  lanes?: number
  /**
   * Items that a batch wants before it goes beside another: few large batches cost less than many
   * small ones. One that has been in flight for `PATIENCE_MS` holds nobody back.
   */
  minBeside?: number
}

export type Batcher<Item, Outcome> = {
  /**
   * Joins the batch that is gathering. Rejects with a 503 problem when the queue is full, and when
   * the item still waited at its deadline (by the clock): then it is never run.
   */
  add: (item: Item, deadlineMs?: number) => Promise<Outcome>
  /** Items waiting for a lane. */
  queued: () => number
}

type Waiting<Item, Outcome> = {
  item: Item
  deadlineMs: number
  resolve: (outcome: Outcome) => void
  reject: (reason: unknown) => void
}

const PATIENCE_MS = 50

/** A queue whose items are run together, up to `lanes` batches at once. */
export function createBatcher<Item, Outcome>(
  options: BatchOptions<Item, Outcome>,
): Batcher<Item, Outcome> {
  const { name, maxSize = 500, maxQueued = 10_000, lanes = 1, minBeside = 1 } = options
  const queue: Waiting<Item, Outcome>[] = []
  let inFlight = 0
  let cancelPatience: (() => void) | undefined

  function pump(): void {
    while (inFlight < lanes && queue.length >= (inFlight === 0 ? 1 : minBeside)) go()
    if (queue.length === 0 || inFlight === lanes) return
    cancelPatience ??= options.timers.after(PATIENCE_MS, () => {
      cancelPatience = undefined
      if (inFlight < lanes && queue.length > 0) go()
    })
  }

  function go(): void {
    const batch = inTime(queue.splice(0, maxSize), options.clock)
    if (batch.length === 0) return
    inFlight += 1
    void settle(options, batch).finally(() => {
      inFlight -= 1
      cancelPatience?.()
      cancelPatience = undefined
      pump()
    })
  }

  return {
    queued: () => queue.length,
    add: (item, deadlineMs = Infinity) =>
      new Promise((resolve, reject) => {
        if (queue.length >= maxQueued) {
          reject(new Problem('unavailable', `Too many requests for ${name}`, { retryAfterS: 1 }))
          return
        }
        queue.push({ item, deadlineMs, resolve, reject })
        if (inFlight < lanes) queueMicrotask(pump) // what arrives in the same tick rides along
      }),
  }
}

// Refuses those whose caller has given up: their work would be for nobody.
function inTime<Item, Outcome>(
  batch: Waiting<Item, Outcome>[],
  clock: Clock | undefined,
): Waiting<Item, Outcome>[] {
  if (clock === undefined) return batch
  const nowMs = clock.now()
  for (const { deadlineMs, reject } of batch) if (deadlineMs <= nowMs) reject(deadlineExceeded)
  return batch.filter(({ deadlineMs }) => deadlineMs > nowMs)
}

async function settle<Item, Outcome>(
  options: BatchOptions<Item, Outcome>,
  batch: Waiting<Item, Outcome>[],
): Promise<void> {
  const items = batch.map(({ item }) => item)
  const results = await settleItems((some) => runAgainIfLost(options, some), items)
  for (const [index, { resolve, reject }] of batch.entries()) {
    const result = results[index]
    if (result?.status === 'fulfilled') resolve(result.value)
    else reject(result?.reason)
  }
}

/**
 * Runs a batch so that one bad item never fails its neighbours: a data or constraint error
 * (SQLSTATE class 22 or 23) halves the batch until the bad item stands alone. Any other error is
 * the outcome of all, and so is an answer with more or fewer outcomes than items.
 */
export async function settleItems<Item, Outcome>(
  run: (items: Item[]) => Promise<Outcome[]>,
  items: Item[],
): Promise<PromiseSettledResult<Outcome>[]> {
  try {
    const outcomes = await run(items)
    if (outcomes.length !== items.length) {
      throw new Error(`${outcomes.length} outcomes for ${items.length} items`)
    }
    return outcomes.map((value) => ({ status: 'fulfilled', value }))
  } catch (reason) {
    if (items.length === 1 || !isDataError(reason)) {
      return items.map(() => ({ status: 'rejected', reason }))
    }
    const middle = Math.ceil(items.length / 2)
    const first = await settleItems(run, items.slice(0, middle))
    return [...first, ...(await settleItems(run, items.slice(middle)))]
  }
}

// COMMIT sent and the connection lost: only asking again tells what happened.
async function runAgainIfLost<Item, Outcome>(
  { run, timers }: BatchOptions<Item, Outcome>,
  items: Item[],
): Promise<Outcome[]> {
  for (const waitMs of [50, 250]) {
    try {
      return await run(items)
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      await timers.sleep(waitMs)
    }
  }
  return run(items)
}
