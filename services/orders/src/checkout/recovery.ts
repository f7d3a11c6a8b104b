/** Owns recovery: drives every open order whose time has come, whoever drove it before. */
import { createRounds } from '@quartet/kit/rounds'
import type { World } from '@quartet/kit/world'
import { readOrders } from '../actions.ts'
import type { Config } from '../config.ts'
import type { Order } from '../domain.ts'
import { MAX_BACKOFF_MS } from './driver.ts'
import { claimDueOrders, surveyOpenOrders, type Lease } from '../store/open-orders.ts'

export type Recovery = {
  start: () => void
  stop: () => Promise<void>
  /** Orders under way in all replicas, as last counted; not those that sleep. */
  openOrders: () => number
  /** An order was put off until then: recovery wakes in time. */
  wakeAt: (timeMs: number) => void
}

const MIN_WAIT_MS = 20
/** Orders in recovery's hands at once: its share beside waiting customers (rule 13). */
const MAX_IN_HAND = 500
/** While a neighbour is down nothing ends: enough to try it, not so many that others feel it. */
const MAX_WHILE_DOWN = 50
/** Between rounds when more is due than may be in hand. */
const FULL_WAIT_MS = 100
/** Before the next round when a drive has ended: those that end with it share that round. */
const ENDED_WAIT_MS = 50

type Drive = (order: Order, lease: Lease) => Promise<Order>

type DriversOptions = { drive: Drive; isOneDown: () => boolean; onEnded: () => void }

/** Claims what is due and drives it; `drive` must end by itself. */
function createDrivers(world: World<Config>, { drive, isOneDown, onEnded }: DriversOptions) {
  const inHand = new Set<Promise<void>>()
  const room = () => (isOneDown() ? MAX_WHILE_DOWN : MAX_IN_HAND) - inHand.size

  async function driveOne(order: Order, lease: Lease): Promise<void> {
    try {
      await drive(order, lease)
    } catch (error) {
      world.log.warn(
        { error, order_id: order.id },
        'an open order could not be driven; again later',
      )
    }
  }

  return {
    ended: () => Promise.all(inHand),
    /** Says whether it took all that is due, as far as it knows. */
    async claimAndDrive(): Promise<boolean> {
      const limit = room()
      if (limit <= 0) return false
      const now = new Date(world.clock.now())
      const until = new Date(now.getTime() + world.config.LEASE_MS)
      const claim = { now, leaseUntil: until, limit }
      const due = await world.db.transaction((tx) => claimDueOrders(tx, claim))
      const attempts = new Map(due.map((row) => [row.order_id, row.attempts]))
      if (attempts.size === 0) return true
      for (const order of await readOrders(world, [...attempts.keys()])) {
        if (order === undefined) continue
        const driven = driveOne(order, { until, attempts: attempts.get(order.id) ?? 1 })
        inHand.add(driven)
        void driven.finally(() => {
          inHand.delete(driven)
          onEnded()
        })
      }
      return attempts.size < limit
    },
  }
}

/** Recovery by `drive`, which a waiting customer's order goes through too. */
export function createRecovery(
  world: World<Config>,
  drive: Drive,
  isOneDown: () => boolean = () => false,
): Recovery {
  // Whoever was driven and has not ended is due again: the next round says when.
  const onEnded = () => rounds.wakeAt(world.clock.now() + ENDED_WAIT_MS)
  const drivers = createDrivers(world, { drive, isOneDown, onEnded })
  let openOrders = 0
  const rounds = createRounds(world, {
    name: 'recovery',
    // Only what a replica that died has put off is found by looking, before a lease of its would be over.
    pollMs: world.config.LEASE_MS / 2,
    minWaitMs: MIN_WAIT_MS,
    async run() {
      const tookAll = await drivers.claimAndDrive()
      const { LEASE_MS, MAX_OPEN_ORDERS: limit } = world.config
      const horizon = new Date(world.clock.now() + Math.max(LEASE_MS, MAX_BACKOFF_MS))
      const { count, nextDriveAt } = await surveyOpenOrders(world.db, { horizon, limit })
      openOrders = count
      return tookAll ? nextDriveAt : new Date(world.clock.now() + FULL_WAIT_MS)
    },
  })
  return {
    start: rounds.start,
    wakeAt: rounds.wakeAt,
    openOrders: () => openOrders,
    async stop() {
      await rounds.stop()
      await drivers.ended()
    },
  }
}
