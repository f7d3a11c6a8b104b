/** Owns comparing payments and refunds with the ledger: each movement of money is booked once, as it was. */
import { createWholeCheck } from '../check.ts'

type Row = { id: string; wanted: string | null; is_there: boolean; postings: string | null }
type Name = 'ledger_transaction_missing' | 'ledger_transaction_unknown' | 'ledger_posting_differs'

const BY_HAND =
  'A payment and its booking are written in one transaction, so something else wrote to the payments database. Compare with the record of the provider and correct it there in SQL.'

/** Payments and refunds, seen from the ledger. */
export const paymentsLedger = createWholeCheck<Name>({
  book: 'payments, ledger',
  noun: 'transactions',
  kinds: {
    ledger_transaction_missing: {
      says: 'Money moved by a payment or a refund, and the ledger has no transaction of it.',
      byHand: BY_HAND,
    },
    ledger_transaction_unknown: {
      says: 'The ledger has a transaction that no payment and no refund stands behind.',
      byHand: BY_HAND,
    },
    ledger_posting_differs: {
      says: 'A posting of the ledger is not what its payment or refund moved.',
      byHand: BY_HAND,
    },
  },
  async count({ databases }) {
    const [row] = await databases.payments.whole<{ count: number }>(
      'select count(*) from ledger_transactions',
    )
    return row?.count ?? 0
  },
  async find({ databases }, limit) {
    const rows = await databases.payments.whole<Row>(DIFFERING, [limit])
    return rows.map((row) => ({ kind: nameOf(row), id: row.id, detail: describe(row) }))
  },
})

// The ids and accounts are those of services/payments/src/domain.ts: bookingsOf.
const DIFFERING = `
  with moved as (
    select 'charge:' || id || '-' || attempt as id,
      'world > payments:' || id || ' ' || amount_received || ' ' || currency as wanted
    from payments where amount_received > 0
    union all
    select 'refund:' || refunds.id,
      'payments:' || payment_id || ' > world ' || refunds.amount || ' ' || currency
    from refunds join payments on payments.id = payment_id where refunds.status = 'succeeded'
  ), posted as (
    select transaction_id as id, string_agg(
      source || ' > ' || destination || ' ' || amount || ' ' || currency, '; ') as postings
    from ledger_postings group by transaction_id
  ), booked as (
    select id, ledger_transactions.id is not null as is_there, postings
    from ledger_transactions full join posted using (id)
  )
  select id, wanted, coalesce(is_there, false) as is_there, postings
  from moved full join booked using (id)
  where wanted is null or is_there is not true or postings is distinct from wanted
  order by id limit $1`

function nameOf({ wanted, is_there }: Row): Name {
  if (wanted === null) return 'ledger_transaction_unknown'
  return is_there ? 'ledger_posting_differs' : 'ledger_transaction_missing'
}

const describe = ({ wanted, postings }: Row): string =>
  `payments: ${wanted ?? 'nothing'}; ledger: ${postings ?? 'nothing'}`
