/** Owns comparing what the card processor moved with what payments knows of it. */
import type { RecordEntry } from '../../provider/contract.ts'
import { entriesOf, type Books } from '../books.ts'
import { createCheck, type Found } from '../check.ts'
import { IS_ASKED_ABOUT } from './open-payments.ts'

type Entry = Extract<RecordEntry, { type: 'charged' | 'captured' | 'refunded' }>
type Payment = {
  id: string
  charge_key: string
  status: string
  amount_received: number
  is_asked_about: boolean
}
type Refund = { id: string; status: string; amount: number }
type Name =
  | 'charge_unknown_to_payments'
  | 'charged_but_not_paid'
  | 'charged_twice'
  | 'charge_amount_differs'
  | 'refund_unknown_to_payments'
  | 'refund_not_recorded'
  | 'refund_amount_differs'

const GIVE_BACK = 'give it back at the provider (POST /v1/refunds, signed with the API key).'

/** The provider's record, seen from payments. */
export const providerPayments = createCheck<Entry, Name>({
  book: 'provider, payments',
  noun: 'movements',
  kinds: {
    charge_unknown_to_payments: {
      says: 'The provider charged for a payment that payments does not know.',
      byHand: `Was the payments database restored from an older backup, or is the API key used elsewhere? If nobody claims the charge, ${GIVE_BACK}`,
    },
    charged_but_not_paid: {
      says: 'The provider charged for a payment that payments does not take for paid.',
      byHand: `The payment has ended without the money and is not asked about again: ${GIVE_BACK}`,
    },
    charged_twice: {
      says: 'The provider charged twice for one payment.',
      byHand: `The id is the charge that payments did not ask for: ${GIVE_BACK}`,
    },
    charge_amount_differs: {
      says: 'The provider took another amount than payments received.',
      byHand:
        'Compare the charge at the provider with the payment; give back what is too much (POST /v1/refunds of the provider).',
    },
    refund_unknown_to_payments: {
      says: 'The provider gave money back, and payments knows no such refund.',
      byHand:
        'Who asked for it? Payments must know it, or it gives the money back again: add the refund in its database, with its booking.',
    },
    refund_not_recorded: {
      says: 'The provider gave money back, and payments has the refund as not made.',
      byHand:
        'Payments does not ask about the refund again: correct its status and its booking in the payments database.',
    },
    refund_amount_differs: {
      says: 'The provider gave back another amount than payments recorded.',
      byHand: 'Compare the refund at the provider with the one in payments.',
    },
  },
  pages: movements,
  async compare(books, entries) {
    const payments = await readPayments(books, entries)
    const refunds = await readRefunds(books, entries)
    return entries.flatMap((entry) => {
      const payment = payments.get(entry.metadata.payment_id)
      return entry.type === 'refunded'
        ? judgeRefund(entry, refunds.get(entry.refund_key), payment)
        : judgeCharge(entry, payment)
    })
  },
})

// What moved a moment ago may not have been told yet.
async function* movements({ provider, until }: Books): AsyncGenerator<Entry[]> {
  for await (const entries of entriesOf(provider, ['charged', 'captured', 'refunded'])) {
    yield entries.filter(({ at }) => Date.parse(at) <= until.getTime())
  }
}

async function readPayments({ databases }: Books, entries: Entry[]): Promise<Map<string, Payment>> {
  const rows = await databases.payments.byIndex<Payment>(
    `select id, id || '-' || attempt as charge_key, status, amount_received,
       ${IS_ASKED_ABOUT} as is_asked_about
     from payments where id = any($1)`,
    [entries.map(({ metadata }) => metadata.payment_id)],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

async function readRefunds({ databases }: Books, entries: Entry[]): Promise<Map<string, Refund>> {
  const keys = entries.flatMap((entry) => (entry.type === 'refunded' ? [entry.refund_key] : []))
  if (keys.length === 0) return new Map()
  const rows = await databases.payments.byIndex<Refund>(
    'select id, status, amount from refunds where id = any($1)',
    [keys],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

const nudgeOf = (payment: Payment | undefined) =>
  payment?.is_asked_about === true ? { do: 'drive-payment' as const, id: payment.id } : undefined

function judgeCharge(entry: Entry, payment: Payment | undefined): Found<Entry, Name>[] {
  const { charge_key, amount, currency } = entry
  const told = `provider: ${amount} ${currency}`
  const differs = (kind: Name, detail: string, nudge = nudgeOf(undefined)) => [
    { kind, id: charge_key, detail: `${told}; payments: ${detail}`, item: entry, nudge },
  ]
  if (payment === undefined) return differs('charge_unknown_to_payments', 'nothing')
  const { id, status, amount_received: received } = payment
  if (payment.charge_key !== charge_key) {
    const kind = received > 0 ? 'charged_twice' : 'charged_but_not_paid'
    return differs(kind, `${payment.charge_key} is ${status}, ${received} received`)
  }
  if (received === 0) {
    return differs('charged_but_not_paid', `${id} is ${status}`, nudgeOf(payment))
  }
  if (received === amount) return []
  return differs('charge_amount_differs', `${received} received`)
}

function judgeRefund(
  entry: Extract<Entry, { type: 'refunded' }>,
  refund: Refund | undefined,
  payment: Payment | undefined,
): Found<Entry, Name>[] {
  const { refund_key, amount, currency } = entry
  const told = `provider: ${amount} ${currency}`
  const differs = (kind: Name, detail: string, nudge = nudgeOf(undefined)) => [
    { kind, id: refund_key, detail: `${told}; payments: ${detail}`, item: entry, nudge },
  ]
  if (refund === undefined) return differs('refund_unknown_to_payments', 'nothing')
  if (refund.status !== 'succeeded') {
    const isPending = refund.status === 'pending'
    return differs('refund_not_recorded', refund.status, isPending ? nudgeOf(payment) : undefined)
  }
  if (refund.amount === amount) return []
  return differs('refund_amount_differs', String(refund.amount))
}
