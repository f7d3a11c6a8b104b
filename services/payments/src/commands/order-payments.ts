/** Owns the commands on orders' payments: a batch in, the payments out, with the work that is left to do. */
import type { PayItem, VoidItem } from '../contract/schemas.ts'
import { undone, type Payment } from '../domain.ts'
import { intend, newPayment, openNew, toWork, type Dependencies } from '../intention.ts'
import { findPaymentsOfOrders } from '../store.ts'
import type { Work } from '../work.ts'

/** Per item its order's payment, undefined where the id stands for another's; and the work of this batch. */
export type Intended = { payments: (Payment | undefined)[]; work: Work[] }

/**
 * Opens payments for orders (rule 3: nothing else does), one per order for ever. An item whose order
 * has a payment already gets that, if owner, amount and currency are the same (rule 2).
 */
export async function openOrderPayments(
  world: Dependencies,
  items: PayItem[],
): Promise<{ payments: (Payment | undefined)[]; work: Work[] }> {
  const unique = [...new Map(items.toReversed().map((item) => [item.order_id, item])).values()]
  const created = unique.map((item) => toOrderPayment(world, item))
  return world.db.transaction(async (tx) => {
    const mine = await openNew(world, tx, created)
    const held = new Map(mine.map((payment) => [payment.orderId, payment]))
    const others = unique.filter(({ order_id }) => !held.has(order_id))
    // A later statement: it sees what the claims had to wait for (rule 14).
    const found = await findPaymentsOfOrders(
      tx,
      others.map(({ order_id }) => order_id),
    )
    const payments = items.map((item) => {
      const payment = held.get(item.order_id) ?? found.get(item.order_id)
      return payment !== undefined && isFor(payment, item) ? payment : undefined
    })
    return { payments, work: toWork(mine) }
  })
}

// A tombstone stands for whatever its owner's order may have cost.
const isFor = ({ ownerId, amount, currency }: Payment, item: PayItem): boolean =>
  ownerId === item.owner_id &&
  (amount === null || (amount === item.amount.amount && currency === item.amount.currency))

function toOrderPayment({ ids, clock }: Dependencies, item: PayItem): Payment {
  const { order_id, owner_id, amount, payment_method, capture_method } = item
  // Nothing to pay needs no provider, and no method.
  const isFree = amount.amount === 0
  const status = isFree ? 'succeeded' : 'processing'
  return {
    ...newPayment(ids.next('pay'), owner_id, clock.now()),
    orderId: order_id,
    amount: amount.amount,
    currency: amount.currency,
    captureMethod: capture_method,
    paysLater: payment_method === null,
    paymentMethod: isFree ? null : payment_method,
    status: payment_method === null && !isFree ? 'requires_payment_method' : status,
    attempt: payment_method === null ? 0 : 1,
  }
}

/** Writes that everything about these orders' payments is to be undone; leaves tombstones (rule 8). */
export async function undoOrderPayments(
  world: Dependencies,
  items: VoidItem[],
): Promise<{ payments: (Payment | undefined)[]; work: Work[] }> {
  const unique = [...new Map(items.toReversed().map((item) => [item.order_id, item])).values()]
  const tombstones = unique.map((item) => toTombstone(world, item))
  return world.db.transaction(async (tx) => {
    const inserted = await openNew(world, tx, tombstones)
    const held = new Map(inserted.map((payment) => [payment.orderId, payment]))
    const others = unique.filter(({ order_id }) => !held.has(order_id))
    const found = await findPaymentsOfOrders(
      tx,
      others.map(({ order_id }) => order_id),
    )
    // An undo that is written already is the sweep's: asking again must not ask the provider again.
    const own = others.flatMap(({ order_id, owner_id }) => {
      const payment = found.get(order_id)
      return payment?.ownerId === owner_id && !payment.undo ? [payment.id] : []
    })
    const work = await intend(world, tx, own, undone)
    const written = new Map(work.map(({ payment }) => [payment.orderId, payment]))
    return {
      payments: items.map(({ order_id, owner_id }) => {
        const payment = written.get(order_id) ?? held.get(order_id) ?? found.get(order_id)
        return payment?.ownerId === owner_id ? payment : undefined
      }),
      work,
    }
  })
}

const toTombstone = ({ ids, clock }: Dependencies, { order_id, owner_id }: VoidItem): Payment => ({
  ...newPayment(ids.next('pay'), owner_id, clock.now()),
  orderId: order_id,
  status: 'canceled',
  attempt: 0,
  undo: true,
})
