/** Owns what is wrong with a cart, seen against prices and stock as they are now. */
import type { Money, Product } from '../api/contracts.ts'
import { times } from '../parts/money.ts'
import type { CartLine } from './cart.ts'

/** What is known of a product now: `gone` where it is sold no more, undefined while nobody has said. */
export type Known = Product | 'gone' | undefined

/** A line as it stands, and what keeps it from being ordered. */
export type CheckedLine = {
  line: CartLine
  product: Product | undefined
  price: Money
  trouble: Trouble | undefined
}

export type Trouble =
  | { kind: 'gone' }
  | { kind: 'sold_out' }
  | { kind: 'short'; available: number }
  | { kind: 'price_changed'; from: Money; to: Money }
  | { kind: 'other_currency' }

export function checkCart(lines: CartLine[], known: (productId: string) => Known): CheckedLine[] {
  const currency = lines[0]?.seen_price.currency
  return lines.map((line) => {
    const found = known(line.product_id)
    const product = found === 'gone' ? undefined : found
    const price = product?.price ?? line.seen_price
    return { line, product, price, trouble: troubleOf(line, found, currency) }
  })
}

function troubleOf(
  line: CartLine,
  known: Known,
  currency: string | undefined,
): Trouble | undefined {
  if (known === undefined) return undefined
  if (known === 'gone' || known.status === 'archived') return { kind: 'gone' }
  if (known.price.currency !== currency) return { kind: 'other_currency' }
  const { price, available_quantity: available } = known
  if (available <= 0) return { kind: 'sold_out' }
  if (available < line.quantity) return { kind: 'short', available }
  if (price.amount !== line.seen_price.amount) {
    return { kind: 'price_changed', from: line.seen_price, to: price }
  }
  return undefined
}

/** What the lines cost together; undefined for none. All of a cart is in the currency of its first line. */
export function totalOf(lines: CheckedLine[]): Money | undefined {
  const [first] = lines
  if (first === undefined) return undefined
  const { currency } = first.price
  const amounts = lines.map(({ price, line }) => times(price, line.quantity).amount)
  return { amount: amounts.reduce((sum, amount) => sum + amount, 0), currency }
}
