/** Owns the process in which checkouts run without HTTP: as many clients as asked for, each one order at a time. */
import { anOrder } from '../../services/orders/src/testing/orders.ts'
import type { LoadResult } from '../load.ts'
import type { Amount } from '../measure.ts'
import { percentile } from '../percentile.ts'
import { answerParent } from './child.ts'
import type { CommitTimes } from './commits.ts'
import { openSqlShop, type SqlEnvironments, type SqlShop } from './sql-shop.ts'

export type SqlAsk = { open: SqlEnvironments } | { run: Amount }
/** `commits` means something for one client only. */
export type SqlResult = LoadResult & { commits: CommitTimes }

let shop: SqlShop | undefined
let placed = 0

answerParent(async (message) => {
  const ask = message as SqlAsk
  if ('run' in ask) return runClients(ask.run)
  shop = await openSqlShop(ask.open)
  return {}
})

async function runClients({ connections, seconds }: Amount): Promise<SqlResult> {
  if (shop === undefined) throw new Error('not open yet')
  const { commits } = shop
  const opened = shop
  commits.read()
  const latenciesMs: number[] = []
  const startedMs = performance.now()
  const client = async () => {
    while (performance.now() - startedMs < seconds * 1_000) {
      const fromMs = performance.now()
      await checkOut(opened)
      latenciesMs.push(performance.now() - fromMs)
      commits.next()
    }
  }
  await Promise.all(Array.from({ length: connections }, client))
  return {
    durationMs: performance.now() - startedMs,
    requests: latenciesMs.length,
    failed: 0,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    maxMs: percentile(latenciesMs, 1),
    statuses: {},
    commits: commits.read(),
  }
}

async function checkOut({ checkout, products }: SqlShop): Promise<void> {
  placed += 1
  const now = new Date()
  const order = anOrder({
    id: `ord_${process.pid}_${String(placed).padStart(12, '0')}`,
    ownerId: `usr_${placed % 64}`,
    idempotencyKey: `sql-${process.pid}-${placed}`,
    lines: [{ product_id: products[placed % products.length] ?? '', quantity: 1 }],
    expiresAt: new Date(now.getTime() + 1_800_000),
    createdAt: now,
    updatedAt: now,
  })
  const outcome = await checkout.place(order)
  if (outcome.kind !== 'placed') throw new Error(outcome.kind)
  const ended = await checkout.complete(outcome.order)
  if (ended.status !== 'confirmed') throw new Error(`an order ended as ${ended.status}`)
}
