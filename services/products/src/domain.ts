/** Owns what a product and a reservation are, and who gets the stock when it is short. Pure. */
import type { MOVEMENT_KINDS, QuotedLine, ReserveItem } from './contract/schemas.ts'

export type Product = {
  id: string
  name: string
  description: string
  category: string
  priceAmount: number
  priceCurrency: string
  status: 'active' | 'archived'
  version: number
  createdAt: Date
  updatedAt: Date
}

/** Units: `stocked` in the warehouse, of which `reserved` are promised. 0 <= reserved <= stocked. */
export type Level = { stocked: number; reserved: number }
export const availableOf = ({ stocked, reserved }: Level): number => stocked - reserved

type MovementKind = (typeof MOVEMENT_KINDS)[number]

/** One reason why a level changed. */
export type Movement = {
  productId: string
  kind: MovementKind
  stockedDelta: number
  reservedDelta: number
  orderId: string | null
  note: string | null
}

/** What movements do to levels, per product. */
export function sumByProduct(movements: Movement[]): Map<string, Level> {
  const sums = new Map<string, Level>()
  for (const { productId, stockedDelta, reservedDelta } of movements) {
    const { stocked, reserved } = sums.get(productId) ?? { stocked: 0, reserved: 0 }
    sums.set(productId, { stocked: stocked + stockedDelta, reserved: reserved + reservedDelta })
  }
  return sums
}

/** The products of which these movements take the last unit that is available at `levels`, sorted. */
export function depletedBy(movements: Movement[], levels: ReadonlyMap<string, Level>): string[] {
  const isDepleted = ([id, { stocked, reserved }]: [string, Level]) => {
    const level = levels.get(id)
    const quantity = reserved - stocked
    return level !== undefined && quantity > 0 && availableOf(level) === quantity
  }
  return [...sumByProduct(movements)]
    .filter(isDepleted)
    .map(([id]) => id)
    .toSorted()
}

/**
 * `none`: nothing recorded. `refused`: the answer was no. `released` and `returned`: undone before
 * and after the sale; both answer `released`, for ever.
 */
export const RESERVATION_STATES = [
  'none',
  'reserved',
  'refused',
  'released',
  'sold',
  'returned',
] as const
export type ReservationState = (typeof RESERVATION_STATES)[number]

type Move = {
  to: ReservationState
  kind: MovementKind | null
  stocked: -1 | 0 | 1
  reserved: -1 | 0 | 1
}
const move = (
  to: ReservationState,
  kind: Move['kind'],
  stocked: Move['stocked'],
  reserved: Move['reserved'],
): Move => ({ to, kind, stocked, reserved })

/**
 * What undoing an order does (rule 11). Nothing recorded leaves a tombstone; a refusal stays one, and
 * since it took nothing there is nothing to give back.
 */
export const RELEASE: Record<ReservationState, Move> = {
  none: move('released', null, 0, 0),
  reserved: move('released', 'Release', 0, -1),
  refused: move('refused', null, 0, 0),
  released: move('released', null, 0, 0),
  sold: move('returned', 'Cancellation', 1, 0),
  returned: move('returned', null, 0, 0),
}

/** What the sale of an order does (rule 11): reserved units leave the warehouse; else nothing. */
export const SALE: Record<ReservationState, Move> = {
  none: move('none', null, 0, 0),
  reserved: move('sold', 'Sale', -1, -1),
  refused: move('refused', null, 0, 0),
  released: move('released', null, 0, 0),
  sold: move('sold', null, 0, 0),
  returned: move('returned', null, 0, 0),
}

/** The movements of `lines` that a move of their reservation makes. */
export function movementsOf(
  { kind, stocked, reserved }: Move,
  orderId: string,
  lines: { product_id: string; quantity: number }[],
): Movement[] {
  if (kind === null) return []
  return lines.map(({ product_id, quantity }) => ({
    productId: product_id,
    kind,
    stockedDelta: stocked * quantity,
    reservedDelta: reserved * quantity,
    orderId,
    note: null,
  }))
}

/** Who asks for what: the same order id with another fingerprint is a conflict (rule 2). */
export function fingerprintOf({
  owner_id,
  lines,
}: Pick<ReserveItem, 'owner_id' | 'lines'>): string {
  const sorted = lines
    .map(({ product_id, quantity }) => [product_id, quantity] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([owner_id, sorted])
}

/** The recorded answer to a reserve command. */
export type Answer =
  | { outcome: 'reserved'; lines: QuotedLine[] }
  | { outcome: 'insufficient_stock' | 'product_unavailable'; product_ids: string[] }

/** What a decision stands on: the products as they are sold now, and what is available of each. */
export type Shelf = {
  products: ReadonlyMap<string, Pick<Product, 'name' | 'priceAmount' | 'priceCurrency' | 'status'>>
  available: Map<string, number>
}

/** Decides orders in turn, all lines or none each; what one gets is gone for the next. */
export function decideReservations(items: ReserveItem[], shelf: Shelf): Answer[] {
  return items.map((item) => decideReservation(item, shelf))
}

function decideReservation({ lines }: ReserveItem, { products, available }: Shelf): Answer {
  const wanted = sumLines(lines)
  const unavailable = unavailableOf([...wanted.keys()], products)
  if (unavailable.length > 0) return { outcome: 'product_unavailable', product_ids: unavailable }
  const short = [...wanted].filter(([id, quantity]) => (available.get(id) ?? 0) < quantity)
  if (short.length > 0) {
    return { outcome: 'insufficient_stock', product_ids: short.map(([id]) => id) }
  }
  for (const [id, quantity] of wanted) available.set(id, (available.get(id) ?? 0) - quantity)
  return { outcome: 'reserved', lines: lines.flatMap((line) => quote(line, products)) }
}

function quote(
  { product_id, quantity }: ReserveItem['lines'][number],
  products: Shelf['products'],
): QuotedLine[] {
  const product = products.get(product_id)
  if (product === undefined) return []
  const unit_price = { amount: product.priceAmount, currency: product.priceCurrency }
  return [{ product_id, quantity, name: product.name, unit_price }]
}

/** Quantity per product; a product may stand on several lines. */
export function sumLines(lines: ReserveItem['lines']): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { product_id, quantity } of lines) {
    sums.set(product_id, (sums.get(product_id) ?? 0) + quantity)
  }
  return sums
}

// An order is paid in one currency: that of its first line.
function unavailableOf(ids: string[], products: Shelf['products']): string[] {
  const currency = products.get(ids[0] ?? '')?.priceCurrency
  return ids.filter((id) => {
    const product = products.get(id)
    return product?.status !== 'active' || product.priceCurrency !== currency
  })
}
