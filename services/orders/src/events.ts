/** Owns what orders publishes. Personal data stays out (rule 21): no address, no name. */
import type { NewEvent } from '@quartet/kit/events'
import type { Order } from './domain.ts'

/** Said when an order is accepted, before anything is reserved. */
export function orderPlaced(order: Order): NewEvent {
  return {
    type: 'order.placed.v1',
    subject: order.id,
    data: { order_id: order.id, owner_id: order.ownerId, line_items: order.lines },
  }
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
