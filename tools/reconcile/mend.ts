/** Owns mending: asks the shop to look again at what it heals by itself. Each nudge may be repeated; a late one does nothing. */
import { sequenceOutbox } from '@quartet/kit/events'
import { silentLog } from '@quartet/kit/log'
import { connectPostgres, type Transaction } from '@quartet/kit/postgres'
import { realRandom } from '@quartet/kit/random'
import { realTimers } from '@quartet/kit/time'
import type { ServiceName } from '../start/plan.ts'
import type { Target } from './books.ts'
import { IS_ASKED_ABOUT } from './books/open-payments.ts'
import type { Difference, Nudge } from './check.ts'

/** Nudges whatever can be nudged; gives how many differences that was. */
export async function mend(
  { databaseUrls }: Target,
  differences: Difference[],
  now: Date,
): Promise<number> {
  const nudges = differences.flatMap(({ nudge }) => (nudge === undefined ? [] : [nudge]))
  for (const [service, wanted] of Map.groupBy(nudges, serviceOf)) {
    const db = connectPostgres({
      url: databaseUrls[service],
      poolSize: 1,
      applicationName: 'reconcile',
      timers: realTimers,
      random: realRandom,
      log: silentLog,
    })
    try {
      for (const [what, same] of Map.groupBy(wanted, (nudge) => nudge.do)) {
        const ids = same.flatMap((nudge) => ('id' in nudge ? [nudge.id] : []))
        await db.transaction((tx) => MENDS[what](tx, ids, now))
      }
    } finally {
      await db.close()
    }
  }
  return nudges.length
}

function serviceOf(nudge: Nudge): ServiceName {
  if (nudge.do === 'number-events') return nudge.service
  return nudge.do === 'drive-payment' ? 'payments' : 'orders'
}

type Mend = (tx: Transaction, ids: string[], now: Date) => Promise<unknown>

// Rows are locked in the order of the services themselves: the big table by id, then the small one. A
// row that has moved on since it was found is left alone.
const MENDS: Record<Nudge['do'], Mend> = {
  'drive-order': (tx, ids, now) =>
    tx.query(
      `with waiting as materialized (
         select id from orders where id = any($1) and status in ('pending', 'canceling')
         order by id for update
       )
       insert into open_orders (order_id, drive_at) select id, $2 from waiting order by id
       on conflict (order_id) do update
         set drive_at = least(open_orders.drive_at, excluded.drive_at)`,
      [ids, now],
    ),
  'close-order': (tx, ids) =>
    tx.query(
      `with settled as materialized (
         select id from orders
         where id = any($1) and status in ('confirmed', 'completed', 'canceled')
         order by id for update
       )
       delete from open_orders where order_id in (select id from settled)`,
      [ids],
    ),
  'drive-payment': (tx, ids, now) =>
    tx.query(
      `with waiting as materialized (
         select id from payments where id = any($1) and ${IS_ASKED_ABOUT}
         order by id for update
       )
       insert into open_payments (payment_id, drive_at) select id, $2 from waiting order by id
       on conflict (payment_id) do update
         set drive_at = least(open_payments.drive_at, excluded.drive_at)`,
      [ids, now],
    ),
  'number-events': (tx) => sequenceOutbox(tx),
}
