/** Owns the drive: asks the saga for the next step and takes it, until the order is settled or must wait. */
import { createBatcher, type Batcher } from '@quartet/kit/batch'
import type { Sequencer } from '@quartet/kit/events'
import type { World } from '@quartet/kit/world'
import { postponeOrders, readOrders, settleOrders, type Settlement } from '../actions.ts'
import type { Config } from '../config.ts'
import { isSettled, type Order } from '../domain.ts'
import type { Drive, Lease } from '../store/open-orders.ts'
import type { PayCommand, Peers } from './peers.ts'
import { decide, type Known, type Payment, type Reservation, type Step, type Undo } from './saga.ts'

/** The batches that drives of one kind share: those of waiting customers, or those of recovery (rule 13). */
export type Lanes = {
  reserve: Batcher<Order, Reservation>
  pay: Batcher<PayCommand, Payment>
  release: Batcher<Order, Undo>
  void: Batcher<Order, Undo>
  settle: Batcher<Settlement, Order | undefined>
  postpone: Batcher<Drive, void>
  read: Batcher<string, Order | undefined>
}

type DriverWorld = World<Config>

/** Queues are as long as the backlog may be: a placed order is a promise and is never shed. */
export function createLanes(world: DriverWorld, peers: Peers, sequencer: Sequencer): Lanes {
  const { timers, config } = world
  const lane = <Item, Outcome>(name: string, run: (items: Item[]) => Promise<Outcome[]>) =>
    createBatcher<Item, Outcome>({
      name,
      run,
      timers,
      lanes: 2,
      minBeside: 100,
      maxQueued: 2 * config.MAX_OPEN_ORDERS,
    })
  return {
    reserve: lane('reserve', peers.reserve),
    pay: lane('pay', peers.pay),
    release: lane('release', peers.release),
    void: lane('void', peers.void),
    settle: lane('settle', async (settlements) => {
      const settled = await settleOrders(world, settlements)
      sequencer.ring()
      return settled
    }),
    postpone: lane('postpone', (drives) => postponeOrders(world, drives)),
    read: lane('read', (ids) => readOrders(world, ids)),
  }
}

/** Far above what any order needs: forward and back are at most eight steps. */
const MAX_STEPS = 20
const MIN_BACKOFF_MS = 100
/** Who is driven later than this sleeps: only its customer, or the end of its time, can change something. */
export const MAX_BACKOFF_MS = 5_000

/**
 * Drives an order from where it stands: to its end, or to where it must wait, or until it finds that
 * another driver was faster. `lease`: it was claimed, not just placed. Gives the order as stored.
 */
export async function drive(
  world: DriverWorld,
  lanes: Lanes,
  order: Order,
  lease?: Lease,
): Promise<Order> {
  let current = order
  let known: Known = {}
  for (let steps = 0; steps < MAX_STEPS; steps += 1) {
    const step = decide(current, known, world.clock.now())
    if (step.do === 'stop') return current
    if (step.do === 'wait') return putOff(world, lanes, current, step, lease)
    if (step.do === 'write') {
      const settled = await write(world, lanes, step)
      if (settled === undefined) return readAgain(lanes, current) // somebody else was faster
      if (isSettled(settled.status)) return settled
      current = settled
      known = {}
    } else {
      known = { ...known, ...(await ask(lanes, current, step)) }
    }
  }
  throw new Error(`order ${order.id} did not settle in ${MAX_STEPS} steps`)
}

async function ask(
  lanes: Lanes,
  order: Order,
  step: Extract<Step, { do: 'reserve' | 'pay' | 'undo' }>,
): Promise<Known> {
  switch (step.do) {
    case 'reserve':
      return { reservation: await lanes.reserve.add(order) }
    case 'pay':
      return { payment: await lanes.pay.add(step) }
    case 'undo': {
      const [release, voided] = await Promise.all([lanes.release.add(order), lanes.void.add(order)])
      return { release, void: voided }
    }
  }
}

/** Writes a step; undefined when the stored order is no longer in the status that the step leaves. */
export function write(
  world: DriverWorld,
  lanes: Lanes,
  { order, from }: Extract<Step, { do: 'write' }>,
): Promise<Order | undefined> {
  const driveAt = new Date(world.clock.now() + world.config.LEASE_MS)
  return lanes.settle.add({ order, from, driveAt })
}

/**
 * Comes back later. An order sleeps until its time to pay is over only when this look has found just
 * what was stored before it: then whatever its customer does comes after, and its event wakes it. What
 * the look has found anew is written first, and looked at once more; for an event that came in between
 * has found nobody waiting.
 */
async function putOff(
  world: DriverWorld,
  lanes: Lanes,
  stored: Order,
  { order, idle }: Extract<Step, { do: 'wait' }>,
  lease: Lease | undefined,
): Promise<Order> {
  const soon = new Date(world.clock.now() + backOffMs(world, idle ? 0 : (lease?.attempts ?? 0)))
  if (hasChanged(stored, order)) {
    const settled = await lanes.settle.add({ order, from: stored.status, driveAt: soon })
    return settled ?? readAgain(lanes, stored)
  }
  const sleeps = idle && lease !== undefined
  await lanes.postpone.add({ order, driveAt: sleeps ? order.expiresAt : soon, lease })
  return stored
}

function backOffMs({ random }: DriverWorld, attempts: number): number {
  const ceilingMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** Math.min(attempts, 10))
  return ceilingMs * (0.5 + random.fraction() / 2)
}

const hasChanged = (before: Order, after: Order): boolean =>
  before.paymentStatus !== after.paymentStatus ||
  before.paymentId !== after.paymentId ||
  before.nextAction?.url !== after.nextAction?.url ||
  (before.totals === null && after.totals !== null)

async function readAgain(lanes: Lanes, order: Order): Promise<Order> {
  return (await lanes.read.add(order.id)) ?? order
}
