/** Owns a checkout from request to answer: place, drive, and wait for the end or the deadline. */
import { createBatcher, type Batcher } from '@quartet/kit/batch'
import type { Sequencer } from '@quartet/kit/events'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import { placeOrders, type PlaceOutcome } from '../actions.ts'
import type { Config } from '../config.ts'
import { isSettled, moveTo, waitsForCustomer, type CancelReason, type Order } from '../domain.ts'
import { createLanes, drive, write, type Lanes } from './driver.ts'
import type { Peers } from './peers.ts'
import { createRecovery } from './recovery.ts'
import { turnBack } from './saga.ts'

export type Checkout = {
  /** Joins a batch of placements; 503 when too many orders are open. Nothing is driven yet. */
  place: (order: Order) => Promise<PlaceOutcome>
  /** Drives an order that was just placed, and waits for its end until the deadline. */
  complete: (order: Order) => Promise<Order>
  /** Waits for the end of an order that somebody else drives. */
  waitForEnd: (order: Order) => Promise<Order>
  /** Writes the way back, then walks it. Undefined: the order is fulfilled and can't be canceled. */
  cancel: (order: Order, reason: CancelReason) => Promise<Order | undefined>
  /** Reads an order; many readers at once share a statement. */
  read: (id: string) => Promise<Order | undefined>
  /** Completes a confirmed order; gives it as it then is, whoever was faster. Undefined: there is none. */
  fulfill: (id: string) => Promise<Order | undefined>
  openOrders: () => number
  start: () => void
  stop: () => Promise<void>
}

// An order that another replica drives is looked at this often.
const LOOK_MS = 200

/** All that orders does for a checkout; `peers` are products and payments. */
export function createCheckout(world: World<Config>, peers: Peers, sequencer: Sequencer): Checkout {
  const { config } = world
  const placing = createPlacing(world, sequencer)
  const foreground = createLanes(world, peers, sequencer)
  const background = createLanes(world, peers, sequencer)
  const recovery = createRecovery(world, (order, attempts) =>
    drive(world, background, order, attempts),
  )
  const driving = new Set<Promise<unknown>>()

  const deadline = () => world.clock.now() + config.WAIT_MS
  const waitForEnd = (order: Order, deadlineMs = deadline()) =>
    waitUntilAnswered(world, foreground, order, deadlineMs)

  /** Drives in the foreground until the deadline; whatever is left open, recovery goes on with. */
  async function complete(order: Order): Promise<Order> {
    const deadlineMs = deadline()
    const driven = drive(world, foreground, order, 0).catch((error: unknown) => {
      world.log.warn({ error, order_id: order.id }, 'a checkout goes on in the background')
      return order
    })
    driving.add(driven)
    void driven.finally(() => {
      driving.delete(driven)
      recovery.wakeAt(world.clock.now() + LOOK_MS)
    })
    const inTime = await withinDeadline(world, driven)
    return inTime === undefined ? order : waitForEnd(inTime, deadlineMs)
  }

  return {
    place(order) {
      if (recovery.openOrders() >= config.MAX_OPEN_ORDERS) throw tooManyOpen
      return placing.add(order)
    },
    complete,
    waitForEnd: (order) => waitForEnd(order),
    async cancel(order, reason) {
      let current: Order | undefined = order
      while (current !== undefined && ['pending', 'confirmed'].includes(current.status)) {
        const turned: Order | undefined = await write(world, foreground, turnBack(current, reason))
        if (turned !== undefined) return complete(turned)
        current = await foreground.read.add(order.id)
      }
      return current?.status === 'completed' ? undefined : waitForEnd(current ?? order)
    },
    read: (id) => foreground.read.add(id),
    fulfill: (id) => fulfill(world, foreground, id),
    openOrders: recovery.openOrders,
    start: recovery.start,
    async stop() {
      await recovery.stop()
      await Promise.allSettled(driving)
    },
  }
}

async function fulfill(world: World<Config>, lanes: Lanes, id: string): Promise<Order | undefined> {
  const order = await lanes.read.add(id)
  if (order?.status !== 'confirmed') return order
  const completed = moveTo(order, 'completed', { fulfillmentStatus: 'fulfilled' })
  const step = { do: 'write', order: completed, from: 'confirmed' } as const
  return (await write(world, lanes, step)) ?? lanes.read.add(id)
}

function createPlacing(world: World<Config>, sequencer: Sequencer): Batcher<Order, PlaceOutcome> {
  return createBatcher({
    name: 'checkout',
    timers: world.timers,
    lanes: 2,
    minBeside: 100,
    run: async (orders: Order[]) => {
      const outcomes = await placeOrders(world, orders)
      sequencer.ring()
      return outcomes
    },
  })
}

async function waitUntilAnswered(
  { clock, timers }: World<Config>,
  lanes: Lanes,
  order: Order,
  deadlineMs: number,
): Promise<Order> {
  let current = order
  while (!hasAnswer(current) && clock.now() < deadlineMs) {
    await timers.sleep(LOOK_MS)
    current = (await lanes.read.add(order.id)) ?? current
  }
  return current
}

/** Whether there is something to tell: the end, or that the customer must act. */
const hasAnswer = (order: Order): boolean => isSettled(order.status) || waitsForCustomer(order)

const tooManyOpen = new Problem('unavailable', 'Too many orders are under way', {
  detail: 'Nothing was placed. Send the request again with the same Idempotency-Key.',
  retryAfterS: 2,
})

async function withinDeadline<Result>(
  { timers, config }: World<Config>,
  work: Promise<Result>,
): Promise<Result | undefined> {
  let cancel = () => {}
  const deadline = new Promise<undefined>((resolve) => {
    cancel = timers.after(config.WAIT_MS, () => resolve(undefined))
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    cancel()
  }
}
