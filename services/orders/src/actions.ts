/** Owns the verbs of orders: a batch in, outcomes out, one transaction. */
import { findErased, holdErasures } from '@quartet/kit/erased-subjects'
import { appendEvents } from '@quartet/kit/events'
import type { Transaction } from '@quartet/kit/postgres'
import type { World } from '@quartet/kit/world'
import { asksAnew, isSettled, waitsForCustomer, type KnownPayment, type Order } from './domain.ts'
import { orderAsksCustomer, orderMoved, orderPlaced } from './events.ts'
import {
  closeOpenOrders,
  leaseOpenOrders,
  postponeOpenOrders,
  type Drive,
} from './store/open-orders.ts'
import {
  claimOf,
  findHolders,
  findOrders,
  insertOrders,
  lockOrders,
  lockPaymentsOf,
  updateOrders,
  type OrderWrite,
} from './store.ts'

type Dependencies = Pick<World<{ LEASE_MS: number }>, 'config' | 'db' | 'clock' | 'ids'>

export type PlaceOutcome =
  /** Written now: whoever asked drives it. */
  | { kind: 'placed'; order: Order }
  /** The same request came before: its order, in whatever state it is. */
  | { kind: 'repeated'; order: Order }
  | { kind: 'key_reused' }
  | { kind: 'id_taken' }
  /** Whoever asked is erased, and a token was still good. */
  | { kind: 'owner_erased' }

/** Places orders as `pending`. The rows are claimed by id and by (owner, key); who holds one says what the rest get. */
export async function placeOrders(world: Dependencies, orders: Order[]): Promise<PlaceOutcome[]> {
  const { db, clock, config } = world
  return db.transaction(async (tx) => {
    // First of all: an erasure is recorded before these orders and refuses them, or after they are
    // there to be forgotten (rule 22).
    holdErasures(tx)
    const inserted = await insertOrders(tx, orders)
    const placed = orders.filter(firstOfEach(inserted))
    const others = orders.filter((order) => !placed.includes(order))
    // A later statement: it sees what the insert had to wait for (rule 14).
    const [holders, erased] = await findRefused(tx, others)
    if (placed.length > 0) {
      const driveAt = new Date(clock.now() + config.LEASE_MS)
      leaseOpenOrders(
        tx,
        placed.map((order) => ({ order, driveAt })),
      )
      appendEvents(tx, world, placed.map(orderPlaced))
    }
    return orders.map((order) => {
      if (placed.includes(order)) return { kind: 'placed', order }
      return erased.has(order.ownerId) ? { kind: 'owner_erased' } : outcomeOfHeld(order, holders)
    })
  })
}

/** Why orders were not inserted: who holds their ids and keys, and which of their owners are erased. */
function findRefused(tx: Transaction, orders: Order[]): Promise<[Order[], Set<string>]> {
  if (orders.length === 0) return Promise.resolve([[], new Set()])
  const owners = orders.map(({ ownerId }) => ownerId)
  return Promise.all([findHolders(tx, orders), findErased(tx, owners)])
}

// Of copies of one request in a batch the first is the one that was inserted.
function firstOfEach(claims: Set<string>): (order: Order) => boolean {
  const left = new Set(claims)
  return (order) => left.delete(claimOf(order))
}

/** What a request gets whose id or key is held already (rule 17). */
function outcomeOfHeld(order: Order, holders: Order[]): PlaceOutcome {
  const { id, ownerId, idempotencyKey, requestHash } = order
  const byKey = holders.find(
    (held) =>
      held.ownerId === ownerId && idempotencyKey !== null && held.idempotencyKey === idempotencyKey,
  )
  if (byKey !== undefined) {
    return byKey.requestHash === requestHash
      ? { kind: 'repeated', order: byKey }
      : { kind: 'key_reused' }
  }
  const byId = holders.find((held) => held.id === id)
  const isMine =
    byId !== undefined &&
    byId.ownerId === ownerId &&
    byId.requestHash === requestHash &&
    (idempotencyKey === null || byId.idempotencyKey === null)
  return isMine ? { kind: 'repeated', order: byId } : { kind: 'id_taken' }
}

/** `driveAt` is when an order that isn't settled by this write is driven next. */
export type Settlement = OrderWrite & { driveAt: Date }

/**
 * Writes orders on condition of the status they leave, with their events and their place among the
 * open orders. The order as written, or undefined for whoever lost the race.
 */
export async function settleOrders(
  world: Dependencies,
  settlements: Settlement[],
): Promise<(Order | undefined)[]> {
  const now = new Date(world.clock.now())
  // Of two writes of one order in a batch the second finds the first's status: it has lost.
  const first = [...new Map(settlements.toReversed().map((s) => [s.order.id, s])).values()]
  return world.db.transaction(async (tx) => {
    const before = await lock(tx, first)
    const written = await updateOrders(tx, first, now)
    // Events and answers come from the rows as they were written (rule 6).
    const moved = first.flatMap(({ order: { id }, from, driveAt }) => {
      const order = written.get(id)
      return order === undefined ? [] : [{ order, from, driveAt }]
    })
    const settled = moved.filter(({ order }) => isSettled(order.status))
    const open = moved.filter(({ order }) => !isSettled(order.status))
    if (settled.length > 0) {
      closeOpenOrders(
        tx,
        settled.map(({ order }) => order.id),
      )
    }
    leaseOpenOrders(tx, open)
    const said = moved.flatMap(({ order, from }) => {
      if (order.status !== from) return orderMoved(order)
      const known = before.get(order.id)
      return known !== undefined && asksAnew(known, order) ? [orderAsksCustomer(order)] : []
    })
    appendEvents(tx, world, said)
    const winners = new Set(first)
    return settlements.map((settlement) =>
      winners.has(settlement) ? written.get(settlement.order.id) : undefined,
    )
  })
}

// Only who waits for a customer is compared with what was stored: no other batch waits for an answer.
async function lock(tx: Transaction, writes: OrderWrite[]): Promise<Map<string, KnownPayment>> {
  const ids = writes.map(({ order }) => order.id)
  if (writes.some(({ order }) => waitsForCustomer(order))) return lockPaymentsOf(tx, ids)
  lockOrders(tx, ids)
  return new Map()
}

/** Puts off the next drive of orders about which nothing new was learned. */
export async function postponeOrders({ db }: Dependencies, postponed: Drive[]): Promise<void[]> {
  await db.transaction((tx) => postponeOpenOrders(tx, postponed))
  return postponed.map(() => undefined)
}

/** The orders with these ids, undefined where there is none. */
export async function readOrders(
  { db }: Dependencies,
  ids: string[],
): Promise<(Order | undefined)[]> {
  const found = await findOrders(db, ids)
  return ids.map((id) => found.get(id))
}
