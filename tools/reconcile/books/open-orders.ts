/** Owns comparing orders with those that are open: who is under way is driven, who has ended is not. */
import { createWholeCheck } from '../check.ts'

type Name = 'unfinished_order_not_open' | 'settled_order_open' | 'open_order_unknown'
type Row = { id: string; status: string | null; is_open: boolean }

/** Orders, and those that are driven. */
export const openOrders = createWholeCheck<Name>({
  book: 'orders, open_orders',
  noun: 'open orders',
  kinds: {
    unfinished_order_not_open: {
      says: 'An order is under way, and is not in the list of those that are driven.',
      byHand: '',
    },
    settled_order_open: {
      says: 'An order has ended, and is still in the list of those that are driven.',
      byHand: '',
    },
    open_order_unknown: {
      says: 'The list of orders that are driven names one that does not exist.',
      byHand:
        'Something else wrote to the orders database. The row in open_orders does no harm; delete it when you know why it is there.',
    },
  },
  async count({ databases }) {
    const [row] = await databases.orders.whole<{ count: number }>(
      'select count(*) from open_orders',
    )
    return row?.count ?? 0
  },
  async find({ databases }, limit) {
    const rows = await databases.orders.whole<Row>(DIFFERING, [limit])
    return rows.map(({ id, status, is_open }) => {
      if (status === null) return { kind: 'open_order_unknown', id, detail: 'no such order' }
      const detail = `it is ${status}`
      return is_open
        ? { kind: 'settled_order_open', id, detail, nudge: { do: 'close-order', id } }
        : { kind: 'unfinished_order_not_open', id, detail, nudge: { do: 'drive-order', id } }
    })
  },
})

const DIFFERING = `
  select coalesce(orders.id, order_id) as id, status, order_id is not null as is_open
  from orders full join open_orders on order_id = orders.id
  where status is null or (status in ('pending', 'canceling')) <> (order_id is not null)
  order by 1 limit $1`
