/** Owns finding reservations that hold units for an order that does not exist. */
import { PAGE_SIZE, type Books } from '../books.ts'
import { createCheck } from '../check.ts'
import { findMissingOrders } from './settled-orders.ts'

/** Reservations, seen from orders. */
export const reservationsOrders = createCheck<string, 'reserved_for_no_order'>({
  book: 'reservations, orders',
  noun: 'reservations',
  kinds: {
    reserved_for_no_order: {
      says: 'Products holds units for an order that does not exist.',
      byHand:
        'No order is ever removed, and none is reserved for before it is written: was the orders database restored from an older backup? Else release it (POST /commands/release, signed as orders).',
    },
  },
  pages: heldReservations,
  // Read after the reservation: its order was written before it.
  async compare(books, ids) {
    const missing = await findMissingOrders(books, await stillHeld(books, ids))
    return [...missing].map((id) => ({
      kind: 'reserved_for_no_order',
      id,
      detail: 'orders does not know it',
      item: id,
    }))
  },
})

const HELD = `state in ('reserved', 'sold')`

async function* heldReservations({ databases, until }: Books): AsyncGenerator<string[]> {
  for (let after = ''; ;) {
    const rows = await databases.products.byIndex<{ order_id: string }>(
      `select order_id from reservations where order_id > $1 and ${HELD} and updated_at <= $3
       order by order_id limit $2`,
      [after, PAGE_SIZE, until],
    )
    if (rows.length > 0) yield rows.map(({ order_id }) => order_id)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE_SIZE) return
    after = last.order_id
  }
}

async function stillHeld({ databases }: Books, ids: string[]): Promise<string[]> {
  const rows = await databases.products.byIndex<{ order_id: string }>(
    `select order_id from reservations where order_id = any($1) and ${HELD}`,
    [ids],
  )
  return rows.map(({ order_id }) => order_id)
}
