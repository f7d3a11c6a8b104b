/** Owns comparing what payments received, holds and gave back with how its charges stand at the provider. */
import type { ChargeOutcome } from '../../provider/contract.ts'
import { pagesOf, type Books } from '../books.ts'
import { createCheck, type Found } from '../check.ts'

type Payment = {
  id: string
  charge_key: string
  status: string
  currency: string
  amount_received: number
  amount_refunded: number
}
type Name = 'paid_but_not_charged' | 'held_but_not_authorized' | 'refunded_but_not_given_back'

/** Payments, seen from the provider. */
export const paymentsProvider = createCheck<string, Name>({
  book: 'payments, provider',
  noun: 'payments',
  kinds: {
    paid_but_not_charged: {
      says: 'Payments received money that the provider never took.',
      byHand:
        'Does payments talk to the provider that it should (PROVIDER_URL)? What was bought is not paid: cancel the order as an admin (POST /orders/<id>/cancel).',
    },
    held_but_not_authorized: {
      says: 'A payment waits to be captured, and the provider holds no money for it.',
      byHand:
        'It cannot be captured any more: cancel the order as an admin (POST /orders/<id>/cancel).',
    },
    refunded_but_not_given_back: {
      says: 'Payments gave back more than the provider did.',
      byHand:
        'Give the rest back at the provider (POST /v1/refunds, with the id of the refund as its key).',
    },
  },
  pages: ({ databases, until }) =>
    pagesOf(
      databases.payments,
      `select id, position from payments
       where position > $1 and (amount_received > 0 or status = 'requires_capture')
         and updated_at <= $3
       order by position limit $2`,
      [until],
    ),
  // Payments first: it writes what the provider did before.
  async compare(books, ids) {
    const payments = await readPayments(books, ids)
    const charges = await books.provider.lookUp(payments.map(({ charge_key }) => charge_key))
    return payments.flatMap((payment) => judge(payment, charges.get(payment.charge_key)))
  },
})

function readPayments({ databases }: Books, ids: string[]): Promise<Payment[]> {
  return databases.payments.byIndex<Payment>(
    `select id, id || '-' || attempt as charge_key, status, currency, amount_received,
       amount_refunded
     from payments
     where id = any($1) and (amount_received > 0 or status = 'requires_capture')`,
    [ids],
  )
}

function judge(payment: Payment, charge: ChargeOutcome | undefined): Found<string, Name>[] {
  const { id, status, currency, amount_received: received, amount_refunded: refunded } = payment
  const differs = (kind: Name, detail: string) => [{ kind, id, detail, item: id }]
  const state = charge?.status ?? 'not there'
  if (status === 'requires_capture') {
    // Captured: the record tells the amount, and provider-payments.ts compares it.
    if (state === 'requires_capture' || state === 'succeeded') return []
    return differs('held_but_not_authorized', `provider: ${state}`)
  }
  if (charge === undefined || charge.amount_captured === 0) {
    const detail = `payments: ${received} ${currency}; provider: ${state}`
    return differs('paid_but_not_charged', detail)
  }
  if (refunded <= charge.amount_refunded) return []
  const detail = `payments: ${refunded} ${currency}; provider: ${charge.amount_refunded}`
  return differs('refunded_but_not_given_back', detail)
}
