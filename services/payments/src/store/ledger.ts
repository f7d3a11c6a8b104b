/** Owns the SQL of the ledger: bookings in, volumes out. Balances are sums of postings, kept nowhere. */
import type { Transaction, Tx } from '@quartet/kit/postgres'
import type { Booking } from '../domain.ts'

/** Books movements, each once under its id, however often it is said. */
export function book(tx: Transaction, bookings: Booking[], now: Date): void {
  if (bookings.length === 0) return
  const sorted = bookings.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  tx.send(
    `with new as materialized (
       select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
         as new (id, kind, payment_id, source, destination, amount, currency)
     ), booked as (
       insert into ledger_transactions (id, kind, payment_id, created_at)
       select id, kind, payment_id, $8 from new on conflict (id) do nothing returning id
     )
     insert into ledger_postings (transaction_id, source, destination, amount, currency)
     select id, source, destination, amount, currency from new
     where id = any(array(select id from booked))`,
    [
      sorted.map(({ id }) => id),
      sorted.map(({ kind }) => kind),
      sorted.map(({ paymentId }) => paymentId),
      sorted.map(({ source }) => source),
      sorted.map(({ destination }) => destination),
      sorted.map(({ amount }) => amount),
      sorted.map(({ currency }) => currency),
      now,
    ],
  )
}

/** What went into and came out of an account, in minor units of `currency`; `balance` is input − output. */
export type Volumes = {
  account: string
  currency: string
  input: number
  output: number
  balance: number
}

// Summed exactly; told as the nearest double, which is the same up to 2^53 minor units. Without the
// casts a shop that has taken more could not read its ledger any more.
const VOLUMES = `sum(input)::float8 as input, sum(output)::float8 as output,
  (sum(input) - sum(output))::float8 as balance`

// Each posting seen from both of its ends.
const SIDES = `
  select destination as account, currency, amount as input, 0 as output from ledger_postings
  union all
  select source, currency, 0, amount from ledger_postings`

/** Volumes of all accounts by name, from after `[account, currency]`. */
export async function listAccounts(
  tx: Tx,
  { after, limit }: { after: [string, string] | undefined; limit: number },
): Promise<Volumes[]> {
  // The first accounts of either end hold the first of both: each index is read no further.
  const first = (end: 'source' | 'destination', input: string, output: string) =>
    `(select ${end} as account, currency, ${input} as input, ${output} as output
      from ledger_postings where (${end}, currency) > ($1, $2)
      group by ${end}, currency order by ${end}, currency limit $3)`
  return tx.query<Volumes>(
    `select account, currency, ${VOLUMES}
     from (${first('destination', 'sum(amount)', '0')} union all ${first('source', '0', 'sum(amount)')}) as ends
     group by account, currency order by account, currency limit $3`,
    [after?.[0] ?? '', after?.[1] ?? '', limit],
  )
}

/** Volumes of one account, a row per currency. */
export async function readAccount(tx: Tx, account: string): Promise<Volumes[]> {
  return tx.query<Volumes>(
    `select account, currency, ${VOLUMES} from (${SIDES}) as sides
     where account = $1 group by account, currency order by currency`,
    [account],
  )
}

export type TrialBalance = {
  currency: string
  charged: number
  refunded: number
  sum_of_balances: number
}

/** Per currency: what came in from the world, what went back, and the sum of all balances. */
export async function readTrialBalance(tx: Tx, world: string): Promise<TrialBalance[]> {
  return tx.query<TrialBalance>(
    `select currency, coalesce(sum(output) filter (where account = $1), 0)::float8 as charged,
       coalesce(sum(input) filter (where account = $1), 0)::float8 as refunded,
       (sum(input) - sum(output))::float8 as sum_of_balances
     from (${SIDES}) as sides group by currency order by currency`,
    [world],
  )
}

export type TransactionRow = {
  position: number
  id: string
  kind: Booking['kind']
  payment_id: string
  created_at: Date
  postings: { source: string; destination: string; amount: number; currency: string }[]
}

/** Transactions with their postings, newest first, of one payment or of all. */
export async function listTransactions(
  tx: Tx,
  filter: { paymentId: string | undefined; before: number | undefined; limit: number },
): Promise<TransactionRow[]> {
  const ofPayment = filter.paymentId === undefined ? '' : 'and payment_id = $3'
  return tx.query<TransactionRow>(
    `select position, id, kind, payment_id, created_at,
       (select jsonb_agg(jsonb_build_object('source', source, 'destination', destination,
          'amount', amount, 'currency', currency)) from ledger_postings where transaction_id = id)
       as postings
     from ledger_transactions where position < $1 ${ofPayment} order by position desc limit $2`,
    [
      filter.before ?? Number.MAX_SAFE_INTEGER,
      filter.limit,
      ...(filter.paymentId === undefined ? [] : [filter.paymentId]),
    ],
  )
}
