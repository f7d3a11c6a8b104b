/** Owns what follows the last blow: the shop heals, orders end, readers catch up, books are compared. */
import { reconcileNow, withRunningShop } from '../../tools/reconcile/running-shop.ts'
import { SERVICES } from '../../tools/start/plan.ts'
import type { Shop } from '../../tools/start/shop.ts'
import type { Account } from './accounts.ts'
import { READERS } from './applied.ts'
import type { Asker } from './asker.ts'
import type { Violation } from './checks/violation.ts'
import type { Shelves } from './intents.ts'
import type { Superuser } from './superuser.ts'

const LOOK_AGAIN_MS = 200

/** Waits until `holds`, through whatever fails meanwhile; false when it doesn't within `limitMs`. */
export async function waitFor(holds: () => Promise<boolean>, limitMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + limitMs
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadlineMs) return false
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
  return true
}

/** Whether no order is on its way. */
export async function haveAllEnded({ query }: Superuser): Promise<boolean> {
  const [row] = await query<{ open: number }>(
    'orders',
    `select (select count(*) from orders where status not in ('confirmed', 'completed', 'canceled'))
       + (select count(*) from open_orders) as open`,
  )
  return row?.open === 0
}

/** Whether every event has a number, and every reader has read every event. */
export async function haveAllRead({ query }: Superuser): Promise<boolean> {
  const newest = new Map<string, number>()
  for (const name of SERVICES) {
    const [log] = await query<{ newest: number; waiting: number }>(
      name,
      'select last_sequence as newest, (select count(*) from outbox) as waiting from event_counter',
    )
    if (log === undefined || log.waiting > 0) return false
    newest.set(name, log.newest)
  }
  for (const reader of READERS) {
    const rows = await query<{ source: string; position: number }>(
      reader,
      'select source, position from subscriptions',
    )
    if (rows.some(({ source, position }) => position !== newest.get(source))) return false
  }
  return true
}

/** Whether no payment is on its way at the processor. */
export async function areAllPaid({ query }: Superuser): Promise<boolean> {
  const [row] = await query<{ open: number }>(
    'payments',
    'select count(*) as open from open_payments',
  )
  return row?.open === 0
}

/** Who is erased holds a token that is valid still, and can order nothing by it. */
export async function checkErased(
  asker: Asker,
  erased: readonly Account[],
  { plenty }: Shelves,
): Promise<Violation[]> {
  const violations: Violation[] = []
  const line_items = plenty.slice(0, 1).map(({ id }) => ({ product_id: id, quantity: 1 }))
  for (const { id, token } of erased) {
    const body = { line_items, payment_method: 'pm_card_visa' }
    const question = { n: -1, path: '/orders', body, token, key: `erased-${id}` }
    const { status, body: said } = await asker.definitely(question)
    if (status === 401 && said['code'] === 'account_erased') continue
    violations.push({
      promise: 'erased',
      detail: `${id} is erased, and POST /orders answers ${status}`,
    })
  }
  return violations
}

/** What npm run reconcile says, of everything. */
export async function checkReconciled({ dataDir }: Shop): Promise<Violation[]> {
  const { differences } = await withRunningShop(dataDir, (target) => reconcileNow(target, 0))
  return differences.map(({ book, kind, id, detail }) => ({
    promise: 'reconciled',
    detail: `${book}: ${kind} ${id}: ${detail}`,
    ...(id.startsWith('ord_') ? { order: id } : {}),
  }))
}
