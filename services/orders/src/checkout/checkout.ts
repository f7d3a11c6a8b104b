/** Owns a checkout from request to answer: place, drive, and wait for the end or the deadline. */
import { createBatcher, type Batcher } from '@quartet/kit/batch'
import { timeWithin } from '@quartet/kit/deadline'
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
  /**
   * Joins a batch of placements; 503 when too many orders are open, or when the caller's time is over
   * before it is placed. Nothing is driven yet.
   */
  place: (order: Order, deadlineMs?: number) => Promise<PlaceOutcome>
  /** Drives an order that was just placed, and waits for its end: WAIT_MS, or until the deadline. */
  complete: (order: Order, deadlineMs?: number) => Promise<Order>
  /** Waits as long for the end of an order that somebody else drives. */
  waitForEnd: (order: Order, deadlineMs?: number) => Promise<Order>
  /** Writes the way back, then walks it. Undefined: the order is fulfilled and can't be canceled. */
  cancel: (order: Order, reason: CancelReason) => Promise<Order | undefined>
  /** Reads an order; many readers at once share a statement. */
  read: (id: string) => Promise<Order | undefined>
  /** Completes a confirmed order; gives it as it then is, whoever was faster. Undefined: there is none. */
  fulfill: (id: string) => Promise<Order | undefined>
  openOrders: () => number
  /** Orders were made due: recovery looks for them now. */
  wake: () => void
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
  const recovery = createRecovery(
    world,
    (order, lease) => drive(world, background, order, lease),
    peers.isOneDown,
  )
  const driving = new Set<Promise<unknown>>()

  const answerBy = (callerMs?: number) =>
    world.clock.now() + timeWithin(config.WAIT_MS, callerMs, world.clock)
  const waitUntil = (order: Order, untilMs: number) =>
    waitUntilAnswered(world, foreground, order, { untilMs, isHopeless: peers.isOneDown })
  const waitForEnd = (order: Order, callerMs?: number) => waitUntil(order, answerBy(callerMs))

  /** Drives in the foreground until the deadline; whatever is left open, recovery goes on with. */
  async function complete(order: Order, callerMs?: number): Promise<Order> {
    const untilMs = answerBy(callerMs)
    const driven = drive(world, foreground, order).catch((error: unknown) => {
      world.log.warn({ error, order_id: order.id }, 'a checkout goes on in the background')
      return order
    })
    driving.add(driven)
    void driven.finally(() => {
      driving.delete(driven)
      recovery.wakeAt(world.clock.now() + LOOK_MS)
    })
    const inTime = await within(world, untilMs - world.clock.now(), driven)
    return inTime === undefined ? order : waitUntil(inTime, untilMs)
  }

  return {
    place(order, deadlineMs) {
      if (recovery.openOrders() >= config.MAX_OPEN_ORDERS) throw tooManyOpen
      return placing.add(order, deadlineMs)
    },
    complete,
    waitForEnd,
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
    wake: () => recovery.wakeAt(world.clock.now()),
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
    clock: world.clock,
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
  { untilMs, isHopeless }: { untilMs: number; isHopeless: () => boolean },
): Promise<Order> {
  let current = order
  while (!hasAnswer(current) && clock.now() < untilMs && !isHopeless()) {
    await timers.sleep(Math.min(LOOK_MS, untilMs - clock.now()))
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

async function within<Result>(
  { timers }: World<Config>,
  timeMs: number,
  work: Promise<Result>,
): Promise<Result | undefined> {
  let cancel = () => {}
  const deadline = new Promise<undefined>((resolve) => {
    cancel = timers.after(timeMs, () => resolve(undefined))
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    cancel()
  }
}
