/** Owns what payments publishes, and what it does when users has something to say. */
import type { Erasure } from '@quartet/kit/erasure'
import type { NewEvent } from '@quartet/kit/events'
import type { SubscriptionOptions } from '@quartet/kit/subscription'
import { isUnanswered, type Payment, type Refund } from './domain.ts'

const SAID: Partial<Record<Payment['status'], string>> = {
  requires_action: 'payment.action_required.v1',
  requires_capture: 'payment.authorized.v1',
  succeeded: 'payment.succeeded.v1',
  failed: 'payment.failed.v1',
  canceled: 'payment.canceled.v1',
}

/** What a payment's change has to say: the status it reached, a decline that left it open, its refunds. */
export function paymentMoved(before: Payment, after: Payment, refunded: Refund[]): NewEvent[] {
  const { id, orderId, ownerId, amount, currency, amountReceived, amountRefunded, code } = after
  const data = { payment_id: id, order_id: orderId, owner_id: ownerId, amount, currency }
  const say = (type: string, more: Record<string, unknown>) => ({
    type,
    subject: id,
    data: { ...data, ...more },
  })
  const refunds = refunded.map((refund) =>
    say('payment.refunded.v1', { refund_id: refund.id, refunded: refund.amount }),
  )
  const wasDeclined = after.status === 'requires_payment_method' && after.code !== null
  const type = wasDeclined ? SAID['failed'] : SAID[after.status]
  if (before.status === after.status || type === undefined) return refunds
  const amounts = { amount_received: amountReceived, amount_refunded: amountRefunded }
  // Readers who only want news pass these over (`unless`): nearly all of a shop's payments.
  const answered = isUnanswered(before) ? { answered: true } : {}
  return [...refunds, say(type, { ...amounts, code, ...answered })]
}

/** Reads users: who was erased pays for nothing new, and is forgotten here (rule 22). */
export const usersSubscription = (
  erasure: Pick<Erasure, 'subscription'>,
  baseUrl: string,
  token: (scope: string) => Promise<string>,
): SubscriptionOptions =>
  erasure.subscription({ source: 'users', baseUrl, token, types: ['user.erased.v1'] })
