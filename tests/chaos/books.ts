/** Owns the books as they stand after a run: what each service has written, and the card processor's own record. */
import { readFileSync } from 'node:fs'
import { inData } from '../../tools/postgres/data-folder.ts'
import { openProvider } from '../../tools/reconcile/books.ts'
import { SERVICES, type ServiceName } from '../../tools/start/plan.ts'
import type { Shop } from '../../tools/start/shop.ts'
import { readRecord, READERS, type Applied, type Positions, type Reader } from './applied.ts'
import { call, type TestShop } from '../e2e/shop.ts'
import type { Line } from './intents.ts'
import type { Superuser } from './superuser.ts'

export type OrderRow = {
  id: string
  owner_id: string
  idempotency_key: string | null
  status: string
  cancel_reason: string | null
  total: number | null
  lines: Line[]
}
type PaymentRow = {
  id: string
  order_id: string | null
  status: string
  amount: number | null
  amount_received: number
  amount_refunded: number
}
type ReservationRow = { order_id: string; state: string }
export type StockRow = { product_id: string; stocked: number; reserved: number }
/** What the ledger has booked for a payment. */
type LedgerRow = { payment_id: string; charged: number; refunded: number }
export type EventRow = { sequence: number; type: string; subject: string }
export type Log = { newest: number; unnumbered: number; events: EventRow[] }
export type Subscription = {
  reader: Reader
  source: ServiceName
  begun: number
  applied: Applied[]
}

/** As much of an entry of the card processor's record as is judged. */
export type Entry = {
  type: string
  amount: number
  metadata: { order_id?: string | undefined; payment_id?: string | undefined } | null
}

/** What an admin is told over HTTP. */
type Shown = {
  levels: { product_id: string; stocked: number; reserved: number; available: number }[]
  ledger: { charged: number; refunded: number; sumOfBalances: number }
}

export type Books = {
  orders: OrderRow[]
  /** Orders that somebody still drives. */
  openOrders: string[]
  payments: PaymentRow[]
  reservations: ReservationRow[]
  stock: StockRow[]
  ledger: LedgerRow[]
  /** Of all balances; zero. */
  ledgerSum: number
  record: Entry[]
  shown: Shown
  logs: Record<ServiceName, Log>
  subscriptions: Subscription[]
}

/** Reads all of them. Nothing moves any more. */
export async function readBooks(
  { shop, admin }: TestShop,
  superuser: Superuser,
  begun: Positions,
): Promise<Books> {
  const { query } = superuser
  const stock = await query<StockRow>('products', 'select product_id, stocked, reserved from stock')
  const logs = Object.fromEntries(
    await Promise.all(
      SERVICES.map(async (name) => [name, await readLog(superuser, name)] as const),
    ),
  ) as Books['logs']
  return {
    orders: await query<OrderRow>(
      'orders',
      `select id, owner_id, idempotency_key, status, cancel_reason, lines,
         (totals->>'total')::bigint as total from orders`,
    ),
    openOrders: (
      await query<{ id: string }>('orders', 'select order_id as id from open_orders')
    ).map(({ id }) => id),
    payments: await query<PaymentRow>(
      'payments',
      'select id, order_id, status, amount, amount_received, amount_refunded from payments',
    ),
    reservations: await query('products', 'select order_id, state from reservations'),
    stock,
    shown: await readShown(shop, admin, stock),
    ledger: await query('payments', LEDGER),
    ledgerSum: await readLedgerSum(superuser),
    record: await readProvider(shop),
    logs,
    subscriptions: await readSubscriptions(superuser, begun),
  }
}

const LEDGER = `
  select payment_id, coalesce(sum(amount) filter (where kind = 'charge'), 0) as charged,
    coalesce(sum(amount) filter (where kind = 'refund'), 0) as refunded
  from ledger_transactions join ledger_postings on transaction_id = id group by payment_id`

// Account by account, as whoever reads the ledger would.
async function readLedgerSum({ query }: Superuser): Promise<number> {
  const [row] = await query<{ sum: number | null }>(
    'payments',
    `select sum(balance) from (
       select account, sum(amount) as balance from (
         select destination as account, amount from ledger_postings
         union all select source, -amount from ledger_postings) as moved
       group by account) as accounts`,
  )
  return row?.sum ?? 0
}

async function readLog({ query }: Superuser, name: ServiceName): Promise<Log> {
  const [counter] = await query<{ newest: number; unnumbered: number }>(
    name,
    `select last_sequence as newest, (select count(*) from outbox) as unnumbered
     from event_counter`,
  )
  const events = await query<EventRow>(
    name,
    'select sequence, type, subject from events order by sequence',
  )
  return { newest: counter?.newest ?? 0, unnumbered: counter?.unnumbered ?? 0, events }
}

async function readProvider({ dataDir, urls }: Shop): Promise<Entry[]> {
  const apiKey = readFileSync(inData.secret(dataDir, 'provider-api-key'), 'utf8').trim()
  const provider = openProvider({ url: urls.provider, apiKey }, fetch)
  const entries: Entry[] = []
  for (let after: number | null = 0; after !== null;) {
    const page = await provider.readPage(after)
    entries.push(...page.data)
    after = page.next
  }
  return entries
}

async function readSubscriptions(superuser: Superuser, begun: Positions): Promise<Subscription[]> {
  const all: Subscription[] = []
  for (const reader of READERS) {
    const applied = await readRecord(superuser, reader)
    const rows = await superuser.query<{ source: ServiceName }>(
      reader,
      'select source from subscriptions',
    )
    for (const { source } of rows) {
      const own = applied.filter((each) => each.source === source)
      all.push({ reader, source, begun: begun.get(`${reader} ${source}`) ?? 0, applied: own })
    }
  }
  return all
}

async function readShown({ urls }: Shop, token: string, stock: StockRow[]): Promise<Shown> {
  const levels: Shown['levels'] = []
  for (const { product_id } of stock) {
    const { body } = await call(`${urls.gateway}/api/products/${product_id}/stock`, { token })
    levels.push({
      product_id,
      stocked: Number(body['stocked_quantity']),
      reserved: Number(body['reserved_quantity']),
      available: Number(body['available_quantity']),
    })
  }
  const { body } = await call(`${urls.gateway}/api/ledger/balance`, { token })
  const [row] = body['data'] as Record<string, number>[]
  const sumOfBalances = row?.['sum_of_balances'] ?? 0
  return {
    levels,
    ledger: { charged: row?.['charged'] ?? 0, refunded: row?.['refunded'] ?? 0, sumOfBalances },
  }
}
