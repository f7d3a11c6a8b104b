/** Owns comparing ended orders with what was said of it: others live by their events. */
import { createWholeCheck } from '../check.ts'

/** Ended orders, and their events. */
export const orderEvents = createWholeCheck<'order_without_event'>({
  book: 'orders, events',
  noun: 'orders',
  kinds: {
    order_without_event: {
      says: 'An order has ended, and no event says so: whoever listens never learns of it.',
      byHand:
        'An order and its event are written in one transaction, so something else wrote to the orders database. Add the event to outbox, in the words of services/orders/src/events.ts.',
    },
  },
  async count({ databases }) {
    const [row] = await databases.orders.whole<{ count: number }>(
      `select count(*) from orders where status in ('confirmed', 'completed', 'canceled')`,
    )
    return row?.count ?? 0
  },
  async find({ databases }, limit) {
    const rows = await databases.orders.whole<{ id: string; wanted: string }>(SILENT, [limit])
    return rows.map(({ id, wanted }) => ({
      kind: 'order_without_event',
      id,
      detail: `${wanted} is missing`,
    }))
  },
})

// What is older than the oldest event that is kept may have had its own.
const SILENT = `
  with ended as (
    select orders.id, coalesce(confirmed_at, updated_at) as at,
      case status when 'canceled' then 'order.canceled.v1' else 'order.confirmed.v1' end as wanted
    from orders where status in ('confirmed', 'completed', 'canceled')
  ), oldest as (
    select sequence, time from events order by sequence limit 1
  )
  select id, wanted from ended
  where not exists (select from events where subject = ended.id and type = wanted)
    and not exists (select from outbox where subject = ended.id and type = wanted)
    and not exists (select from oldest where sequence > 1 and time > ended.at)
  order by id limit $1`
