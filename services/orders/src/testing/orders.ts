/** Owns the orders that tests begin with. */
import { INITIAL_PAYMENT_STATUS, PRICING_VERSION, type Order } from '../domain.ts'

const AT = new Date(Date.UTC(2030, 0, 1))

/** A pending order of two desks, paid by card; `changes` say what matters to the test. */
export function anOrder(changes: Partial<Order> = {}): Order {
  return {
    id: 'ord_1',
    ownerId: 'usr_1',
    idempotencyKey: null,
    requestHash: 'hash',
    lines: [{ product_id: 'prd_desk', quantity: 2 }],
    paymentMethod: 'pm_card_visa',
    captureMethod: 'automatic',
    expectedTotal: null,
    pricingVersion: PRICING_VERSION,
    shippingAddress: null,
    expiresAt: new Date(AT.getTime() + 1_800_000),
    createdAt: AT,
    status: 'pending',
    paymentStatus: INITIAL_PAYMENT_STATUS,
    fulfillmentStatus: 'not_fulfilled',
    pricedLines: null,
    totals: null,
    paymentId: null,
    cancelReason: null,
    declineCode: null,
    nextAction: null,
    confirmedAt: null,
    updatedAt: AT,
    ...changes,
  }
}
