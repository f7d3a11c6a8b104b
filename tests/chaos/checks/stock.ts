/** Owns checking the stock: units by product, and reservations by order. */
import type { Books, StockRow } from '../books.ts'
import type { Shelves } from '../intents.ts'
import type { Violation } from './violation.ts'

/** Levels as they were at one moment, with the units that had been sold by then. */
export type Sample = StockRow & { sold: number }

/** One product at one moment, whatever is under way. */
export function checkSample(
  { product_id, stocked, reserved, sold }: Sample,
  firstStock: number,
): Violation[] {
  const available = stocked - reserved
  const units = `${sold} sold, ${reserved} held, ${available} available of ${firstStock}`
  if (reserved < 0 || available < 0 || sold < 0) {
    return [{ promise: 'units', detail: `${product_id} is below zero: ${units}` }]
  }
  if (sold + reserved + available === firstStock) return []
  return [{ promise: 'units', detail: `${product_id}: ${units}` }]
}

const KEPT = new Set(['confirmed', 'completed'])

/** All products, and all reservations, when everything has ended. */
export function checkStock({ plenty, scarce }: Shelves, books: Books): Violation[] {
  const sold = new Map<string, number>()
  for (const { status, lines } of books.orders) {
    if (!KEPT.has(status)) continue
    for (const { product_id, quantity } of lines) {
      sold.set(product_id, (sold.get(product_id) ?? 0) + quantity)
    }
  }
  const rows = new Map(books.stock.map((row) => [row.product_id, row]))
  const found = [...plenty, ...scarce].flatMap(({ id, stock }): Violation[] => {
    const row = rows.get(id)
    if (row === undefined) return [{ promise: 'units', detail: `${id} has no stock level` }]
    const held = row.reserved
    const levels = checkSample({ ...row, sold: sold.get(id) ?? 0 }, stock)
    if (held === 0) return levels
    return [
      ...levels,
      { promise: 'needed', detail: `${id}: ${held} are held, and no order is open` },
    ]
  })
  return [...found, ...checkShown(books), ...checkReservations(books)]
}

function checkShown({ stock, shown }: Books): Violation[] {
  const told = new Map(shown.levels.map((level) => [level.product_id, level]))
  return stock.flatMap(({ product_id: id, stocked, reserved }): Violation[] => {
    const level = told.get(id)
    const isRight =
      level?.stocked === stocked &&
      level.reserved === reserved &&
      level.available === stocked - reserved
    if (isRight) return []
    const detail = `${id}: ${stocked} and ${reserved} are written, ${JSON.stringify(level)} is told`
    return [{ promise: 'units', detail }]
  })
}

function checkReservations({ orders, reservations }: Books): Violation[] {
  const statusOf = new Map(orders.map(({ id, status }) => [id, status]))
  const stateOf = new Map(reservations.map(({ order_id, state }) => [order_id, state]))
  const found: Violation[] = []
  for (const [id, state] of stateOf) {
    const status = statusOf.get(id) ?? 'not there'
    const isFree = ['released', 'returned', 'refused'].includes(state)
    if (isFree || (state === 'sold' && KEPT.has(status))) continue
    found.push({
      promise: 'needed',
      order: id,
      detail: `it is ${status}, its reservation ${state}`,
    })
  }
  for (const [id, status] of statusOf) {
    if (!KEPT.has(status) || stateOf.get(id) === 'sold') continue
    const detail = `it is ${status}, its reservation ${stateOf.get(id) ?? 'not there'}`
    found.push({ promise: 'units', order: id, detail })
  }
  return found
}
