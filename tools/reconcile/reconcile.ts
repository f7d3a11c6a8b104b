/** Owns a reconciliation: every check looks once, and what differs is looked at again before it is told. */
import { openDatabases, openProvider, type Fetch, type Target } from './books.ts'
import { eventLogs } from './books/event-log.ts'
import { openOrders } from './books/open-orders.ts'
import { openPayments } from './books/open-payments.ts'
import { orderEvents } from './books/order-events.ts'
import { ordersPayments } from './books/orders-payments.ts'
import { ordersReservations } from './books/orders-reservations.ts'
import { paymentsLedger } from './books/payments-ledger.ts'
import { paymentsOrders } from './books/payments-orders.ts'
import { paymentsProvider } from './books/payments-provider.ts'
import { providerPayments } from './books/provider-payments.ts'
import { reservationsOrders } from './books/reservations-orders.ts'
import { stockMovements } from './books/stock-movements.ts'
import { subscriptions } from './books/subscriptions.ts'
import type { Check, Difference, Kind } from './check.ts'

/** Everything that is compared. One more is one more file in books/, and a line here. */
const CHECKS: Check[] = [
  ordersReservations,
  reservationsOrders,
  stockMovements,
  ordersPayments,
  paymentsOrders,
  paymentsLedger,
  paymentsProvider,
  providerPayments,
  openOrders,
  openPayments,
  orderEvents,
  ...eventLogs,
  subscriptions,
]

export type ReconcileOptions = {
  /** What changed within this time is under way, and not judged. */
  graceMs: number
  now: () => number
  sleep: (ms: number) => Promise<void>
  fetch: Fetch
}

/** A check's line: what it compared, and how much of it differs. */
export type Line = {
  book: string
  noun: string
  compared: number
  differences: number
  /** More differed than are looked at twice. */
  hasMore: boolean
}

export type Report = { lines: Line[]; differences: Difference[]; kinds: Record<string, Kind> }

/** Whether all books agree. */
export const isClean = ({ lines, differences }: Report): boolean =>
  differences.length === 0 && !lines.some(({ hasMore }) => hasMore)

// Longer than a command, its answer and its commit take.
const SECOND_LOOK_MS = 3_000

/** Compares all books by ids. It reads only; whatever it meets, the connections are closed. */
export async function reconcile(target: Target, options: ReconcileOptions): Promise<Report> {
  const { databases, close } = await openDatabases(target.databaseUrls)
  try {
    const provider = openProvider(target.provider, options.fetch)
    const until = new Date(options.now() - options.graceMs)
    const looks = []
    for (const check of CHECKS) {
      looks.push({ check, ...(await check.look({ databases, provider, until })) })
    }
    if (looks.some(({ suspects }) => suspects > 0)) await options.sleep(SECOND_LOOK_MS)
    const report: Report = { lines: [], differences: [], kinds: {} }
    for (const { check, compared, hasMore, confirm } of looks) {
      const { book, noun, kinds } = check
      const found = await confirm()
      report.lines.push({ book, noun, compared, differences: found.length, hasMore })
      report.differences.push(...found)
      Object.assign(report.kinds, kinds)
    }
    return report
  } finally {
    await close()
  }
}
