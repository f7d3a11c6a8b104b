/** Owns how payments, refunds and the ledger are shown. */
import type { PaymentResource, RefundResource } from './contract/schemas.ts'
import type { Payment, Refund } from './domain.ts'

/** A payment as the API shows it; tombstones are never shown. */
export function toPaymentResource(payment: Payment): PaymentResource {
  return {
    id: payment.id,
    order_id: payment.orderId,
    owner_id: payment.ownerId,
    amount: { amount: payment.amount ?? 0, currency: payment.currency ?? '' },
    status: payment.status,
    capture_method: payment.captureMethod,
    payment_method: payment.paymentMethod,
    amount_capturable: payment.amountCapturable,
    amount_received: payment.amountReceived,
    amount_refunded: payment.amountRefunded,
    attempt: payment.attempt,
    code: payment.code,
    next_action: payment.nextAction,
    created_at: payment.createdAt.toISOString(),
    updated_at: payment.updatedAt.toISOString(),
  }
}

export function toRefundResource(refund: Refund, currency: string): RefundResource {
  return {
    id: refund.id,
    payment_id: refund.paymentId,
    amount: { amount: refund.amount, currency },
    status: refund.status,
    reason: refund.reason,
    created_at: refund.createdAt.toISOString(),
    updated_at: refund.updatedAt.toISOString(),
  }
}
