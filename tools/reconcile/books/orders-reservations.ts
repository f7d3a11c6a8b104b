/** Owns comparing ended orders with their reservations: each order has its units, or none. */
import type { Books } from '../books.ts'
import { createCheck, type Found } from '../check.ts'
import { readSettled, settledOrderIds, type SettledOrder } from './settled-orders.ts'

type Line = { product_id: string; quantity: number }
type Reservation = { order_id: string; state: string; lines: Line[] | null }
type Name = 'confirmed_without_reservation' | 'reserved_for_canceled_order' | 'reserved_other_units'

/** Orders, seen from products. */
export const ordersReservations = createCheck<string, Name>({
  book: 'orders, reservations',
  noun: 'orders',
  kinds: {
    confirmed_without_reservation: {
      says: 'An order was confirmed, and products holds no units for it.',
      byHand:
        'Cancel it as an admin (POST /orders/<id>/cancel), or ship it and take its units from stock (POST /products/<id>/stock).',
    },
    reserved_for_canceled_order: {
      says: 'An order was canceled, and products still holds its units.',
      byHand:
        'Nothing asks products again. See in the logs of orders and products why its release was lost, then release it (POST /commands/release, signed as orders).',
    },
    reserved_other_units: {
      says: 'Products holds other units for an order than it has lines.',
      byHand:
        'Compare lines in orders.orders with answer in products.reservations; correct the stock by hand (POST /products/<id>/stock).',
    },
  },
  pages: settledOrderIds,
  async compare(books, ids) {
    const orders = await readSettled(books, ids)
    const reservations = await readReservations(books, ids)
    return orders.flatMap((order) => judge(order, reservations.get(order.id)))
  },
})

async function readReservations(
  { databases }: Books,
  ids: string[],
): Promise<Map<string, Reservation>> {
  const rows = await databases.products.byIndex<Reservation>(
    `select order_id, state, answer->'lines' as lines from reservations where order_id = any($1)`,
    [ids],
  )
  return new Map(rows.map((row) => [row.order_id, row]))
}

function judge(
  { id, status, lines }: SettledOrder,
  reservation: Reservation | undefined,
): Found<string, Name>[] {
  const state = reservation?.state ?? 'not there'
  // A sale is told by an event, some time after the order was confirmed.
  const isHeld = state === 'reserved' || state === 'sold'
  const differs = (kind: Name, detail: string) => [{ kind, id, detail, item: id }]
  if (status === 'canceled') {
    if (!isHeld) return []
    return differs('reserved_for_canceled_order', `the reservation is ${state}`)
  }
  if (!isHeld) return differs('confirmed_without_reservation', `the reservation is ${state}`)
  const [wanted, held] = [describe(lines), describe(reservation?.lines ?? [])]
  if (wanted === held) return []
  return differs('reserved_other_units', `orders: ${wanted}; products: ${held}`)
}

// A product stands on one line of an order.
function describe(lines: Line[]): string {
  const parts = lines.map(({ product_id, quantity }) => `${quantity} × ${product_id}`)
  return parts.toSorted().join(', ') || 'nothing'
}
