/** Owns what orders publishes, and what it does when payments and users have something to say. Personal data stays out (rule 21). */
import type { Erasure } from '@quartet/kit/erasure'
import type { NewEvent } from '@quartet/kit/events'
import type { SubscriptionOptions } from '@quartet/kit/subscription'
import type { World } from '@quartet/kit/world'
import { z } from 'zod'
import { WAITING_FOR_CUSTOMER, type Order } from './domain.ts'
import { wakeOpenOrders } from './store/open-orders.ts'

/** Said when an order is accepted, before anything is reserved. */
export function orderPlaced(order: Order): NewEvent {
  return {
    type: 'order.placed.v1',
    subject: order.id,
    data: { order_id: order.id, owner_id: order.ownerId, line_items: order.lines },
  }
}

/** Said when an order begins to wait for its customer, or waits for something else than before. */
export function orderAsksCustomer({ id, ownerId, paymentStatus }: Order): NewEvent {
  const data = { order_id: id, owner_id: ownerId, payment_status: paymentStatus }
  return { type: 'order.action_required.v1', subject: id, data }
}

/** What an order that has just reached its status has to say. */
export function orderMoved(order: Order): NewEvent[] {
  const { id, ownerId, status, pricedLines, totals, paymentId, cancelReason } = order
  const subject = id
  const who = { order_id: id, owner_id: ownerId }
  if (status === 'confirmed') {
    const data = { ...who, payment_id: paymentId, line_items: pricedLines, ...totals }
    return [{ type: 'order.confirmed.v1', subject, data }]
  }
  if (status === 'completed') return [{ type: 'order.completed.v1', subject, data: who }]
  if (status === 'canceled') {
    return [{ type: 'order.canceled.v1', subject, data: { ...who, cancel_reason: cancelReason } }]
  }
  return []
}

/** What ends the wait for a customer, or changes what is waited for. */
const WAKING = [
  'payment.action_required.v1',
  'payment.authorized.v1',
  'payment.succeeded.v1',
  'payment.failed.v1',
  'payment.canceled.v1',
]

// Not every payment is an order's.
const paymentMoved = z.object({ order_id: z.string().nullable() })

type PaymentsReader = {
  baseUrl: string
  token: (scope: string) => Promise<string>
  /** After the commit: orders may be due now. */
  wake: () => void
}

/**
 * Reads payments: an order that waits for its payment is driven at once, and asks what became of it. The
 * event only wakes: what it says is asked again, so that a late one can't undo a later decision.
 */
export function paymentsSubscription(
  { clock }: Pick<World<unknown>, 'clock'>,
  { baseUrl, token, wake }: PaymentsReader,
): SubscriptionOptions {
  return {
    source: 'payments',
    baseUrl,
    token,
    types: WAKING,
    // What came of the command that opened a payment, a checkout is told by asking.
    unless: 'answered',
    // To pass over many at once.
    gatherMs: 250,
    async apply(tx, events) {
      const ids = events.flatMap(({ data }) => paymentMoved.parse(data).order_id ?? [])
      const now = new Date(clock.now())
      await wakeOpenOrders(tx, ids, { now, waiting: WAITING_FOR_CUSTOMER })
    },
    applied: wake,
  }
}

/** Reads users: who was erased places no order any more, and is forgotten here (rule 22). */
export const usersSubscription = (
  erasure: Pick<Erasure, 'subscription'>,
  baseUrl: string,
  token: (scope: string) => Promise<string>,
): SubscriptionOptions =>
  erasure.subscription({ source: 'users', baseUrl, token, types: ['user.erased.v1'] })
