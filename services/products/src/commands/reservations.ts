/** Owns reserve, release and sale: a batch in, one outcome per order, one transaction (rules 1, 2, 8, 11, 14 to 16). */
import { appendEvents } from '@quartet/kit/events'
import type { Transaction } from '@quartet/kit/postgres'
import type { Dependencies } from '../actions.ts'
import type {
  ReleaseItem,
  ReleaseOutcome,
  ReserveItem,
  ReserveOutcome,
} from '../contract/schemas.ts'
import {
  availableOf,
  decideReservations,
  depletedBy,
  fingerprintOf,
  movementsOf,
  RELEASE,
  SALE,
  sumLines,
  type Answer,
  type Level,
  type Movement,
  type Product,
} from '../domain.ts'
import { stockDepleted } from '../events.ts'
import { findProducts } from '../store/catalog.ts'
import {
  changeLevels,
  claimLevels,
  claimReservations,
  lockLevels,
  lockReservations,
  productIdsOf,
  readReservations,
  recordMovements,
  updateReservations,
  type Reservation,
} from '../store.ts'

/** Reserves stock for orders. Refusals are recorded as successes are: the first answer stands for ever. */
export async function reserve(
  world: Dependencies,
  items: ReserveItem[],
): Promise<ReserveOutcome[]> {
  const unique = uniqueByOrder(items)
  const claims = unique.map((item) => ({ ...item, fingerprint: fingerprintOf(item) }))
  const now = new Date(world.clock.now())
  const { decided, recorded } = await world.db.transaction(async (tx) => {
    // Sent together: each is a later statement than the one before, and sees what that waited for.
    const [claimed, shelf] = await Promise.all([
      claimReservations(tx, claims, 'claimed', now),
      lookAt(tx, productIdsOf(unique)),
    ])
    const mine = claims.filter(({ order_id }) => claimed.has(order_id))
    const others = unique.filter(({ order_id }) => !claimed.has(order_id))
    return {
      // A later statement too (rule 14).
      recorded: await readReservations(
        tx,
        others.map(({ order_id }) => order_id),
      ),
      decided: decideAndRecord(world, tx, mine, shelf, now),
    }
  })
  return items.map((item) => answerTo(item, decided.get(item.order_id), recorded))
}

// Duplicates are merged before SQL: of two copies the first is decided, both get its answer.
function uniqueByOrder<Item extends { order_id: string }>(items: Item[]): Item[] {
  return [...new Map(items.toReversed().map((item) => [item.order_id, item])).values()].toReversed()
}

type Decided = { fingerprint: string; outcome: ReserveOutcome }

// Two items of one batch may bear one id and ask for different things: each is answered for itself.
function answerTo(
  item: ReserveItem,
  decided: Decided | undefined,
  recorded: Map<string, Reservation>,
): ReserveOutcome {
  const { order_id } = item
  const fingerprint = fingerprintOf(item)
  if (decided === undefined) return replay({ ...item, fingerprint }, recorded.get(order_id))
  return decided.fingerprint === fingerprint ? decided.outcome : { order_id, outcome: 'conflict' }
}

type Shelf = { products: Map<string, Product>; levels: Map<string, Level> }

/** What these products are and cost, and their levels, which are locked. */
async function lookAt(tx: Transaction, productIds: string[]): Promise<Shelf> {
  const [listings, levels] = await Promise.all([
    findProducts(tx, productIds),
    lockLevels(tx, productIds),
  ])
  const products = new Map([...listings].map(([id, { product }]) => [id, product]))
  return { products, levels }
}

function decideAndRecord(
  world: Dependencies,
  tx: Transaction,
  items: (ReserveItem & { fingerprint: string })[],
  { products, levels }: Shelf,
  now: Date,
): Map<string, Decided> {
  const available = new Map([...levels].map(([id, level]) => [id, availableOf(level)]))
  const answers = decideReservations(items, { products, available })
  const decided = items.map((item, index) => ({ item, answer: answers[index] as Answer }))
  updateReservations(
    tx,
    decided.map(({ item, answer }) => ({
      order_id: item.order_id,
      state: answer.outcome === 'reserved' ? 'reserved' : 'refused',
      answer,
    })),
    now,
  )
  const movements = decided.flatMap(toAllocations)
  recordMovements(tx, named(world, movements), now)
  changeLevels(tx, movements)
  appendEvents(tx, world, depletedBy(movements, levels).map(stockDepleted))
  return new Map(
    decided.map(({ item: { order_id, fingerprint }, answer }) => [
      order_id,
      { fingerprint, outcome: { order_id, ...answer } },
    ]),
  )
}

function toAllocations({ item, answer }: { item: ReserveItem; answer: Answer }): Movement[] {
  if (answer.outcome !== 'reserved') return []
  return [...sumLines(item.lines)].map(([productId, quantity]) => ({
    productId,
    kind: 'Allocation',
    stockedDelta: 0,
    reservedDelta: quantity,
    orderId: item.order_id,
    note: null,
  }))
}

const named = ({ ids }: Pick<Dependencies, 'ids'>, movements: Movement[]) =>
  movements.map((movement) => ({ ...movement, id: ids.next('mov') }))

function replay(
  { order_id, owner_id, fingerprint }: ReserveItem & { fingerprint: string },
  reservation: Reservation | undefined,
): ReserveOutcome {
  if (reservation === undefined) return { order_id, outcome: 'processing' }
  const isTombstone = reservation.answer === null && reservation.owner_id === owner_id
  if (!isTombstone && reservation.fingerprint !== fingerprint) {
    return { order_id, outcome: 'conflict' }
  }
  const isUndone = reservation.state === 'released' || reservation.state === 'returned'
  if (isUndone || reservation.answer === null) return { order_id, outcome: 'released' }
  return { order_id, ...reservation.answer }
}

/** One outcome per item, and the products of which there is more now. */
type Released = { outcomes: ReleaseOutcome[]; productIds: string[] }

/** Undoes the reservations of orders, once; leaves a tombstone where none was made yet (rule 8). */
export async function release(world: Dependencies, items: ReleaseItem[]): Promise<Released> {
  const unique = uniqueByOrder(items)
  const now = new Date(world.clock.now())
  const { owners, productIds } = await world.db.transaction(async (tx) => {
    const tombstones = unique.map((item) => ({ ...item, fingerprint: '' }))
    const claimed = await claimReservations(tx, tombstones, 'released', now)
    const others = unique.filter(({ order_id }) => !claimed.has(order_id))
    const recorded = await lockReservations(
      tx,
      others.map(({ order_id }) => order_id),
    )
    // Any item of the batch that names the owner undoes, not only the first of its order.
    const wanted = new Set(items.map(whose))
    const reservations = [...recorded.values()].filter((each) => wanted.has(whose(each)))
    const returned = await move(world, tx, { reservations, moves: RELEASE }, now)
    const tombstoneOwners = tombstones.map(
      ({ order_id, owner_id }) => [order_id, owner_id] as const,
    )
    const recordedOwners = [...recorded.values()].map(
      (row) => [row.order_id, row.owner_id] as const,
    )
    return { owners: new Map([...tombstoneOwners, ...recordedOwners]), productIds: returned }
  })
  const outcomes = items.map(({ order_id, owner_id }) => ({
    order_id,
    outcome: owners.get(order_id) === owner_id ? ('released' as const) : ('conflict' as const),
  }))
  return { outcomes, productIds }
}

const whose = ({ order_id, owner_id }: ReleaseItem): string => `${order_id} ${owner_id}`

/**
 * Turns reservations into sales: reserved → sold, once; whatever was undone or refused stays so (rule
 * 11). In the transaction of the caller.
 */
export async function sell(
  world: Dependencies,
  tx: Transaction,
  orderIds: string[],
): Promise<void> {
  const recorded = await lockReservations(tx, [...new Set(orderIds)])
  const now = new Date(world.clock.now())
  await move(world, tx, { reservations: [...recorded.values()], moves: SALE }, now)
}

type Moves = { reservations: Reservation[]; moves: typeof SALE }

/** Moves locked reservations, with the stock of their lines; gives the products that they are of. */
async function move(
  world: Dependencies,
  tx: Transaction,
  { reservations, moves }: Moves,
  now: Date,
): Promise<string[]> {
  const moved = reservations.flatMap(({ order_id, state, answer }) => {
    const step = moves[state]
    if (step.to === state) return []
    const lines = answer?.outcome === 'reserved' ? answer.lines : []
    return [{ order_id, to: step.to, movements: movementsOf(step, order_id, lines) }]
  })
  if (moved.length === 0) return []
  const movements = moved.flatMap((each) => each.movements)
  const productIds = [...new Set(movements.map(({ productId }) => productId))].toSorted()
  updateReservations(
    tx,
    moved.map(({ order_id, to }) => ({ order_id, state: to, answer: null })),
    now,
  )
  recordMovements(tx, named(world, movements), now)
  // Last of all, and for no answer: reservations of others wait for the levels until the commit.
  claimLevels(tx, productIds)
  changeLevels(tx, movements)
  return productIds
}
