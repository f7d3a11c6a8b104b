/** Owns what a cart is, and how it changes: values in, values out. */
import type { Money, PlaceOrder } from '../api/contracts.ts'

/** A line remembers the price that its buyer has seen, so that a change is noticed. Nothing else is known here. */
export type CartLine = { product_id: string; quantity: number; seen_price: Money }

/**
 * An order that was sent and whose end is not known yet. It is sent again under the same key until
 * it is: that is how there are never two.
 */
export type Attempt = { key: string; owner_id: string; order: PlaceOrder }

/** All that this browser keeps of a purchase, in one record: it changes as one. */
export type Cart = {
  lines: CartLine[]
  attempt: Attempt | null
  /** The order that emptied the cart, for a second tab and for the way back. */
  last_order_id: string | null
}

export const EMPTY: Cart = { lines: [], attempt: null, last_order_id: null }

/** As orders says it: lines an order, at most. */
const MAX_LINES = 100
export const MAX_QUANTITY = 99

const clamp = (quantity: number) => Math.min(Math.max(1, Math.trunc(quantity)), MAX_QUANTITY)

export function addLine(cart: Cart, added: CartLine): Cart {
  const known = cart.lines.find((line) => line.product_id === added.product_id)
  if (known === undefined) {
    if (cart.lines.length >= MAX_LINES) return cart
    return { ...cart, lines: [...cart.lines, { ...added, quantity: clamp(added.quantity) }] }
  }
  return changeLine(cart, added.product_id, {
    quantity: clamp(known.quantity + added.quantity),
    seen_price: added.seen_price,
  })
}

export function setQuantity(cart: Cart, productId: string, quantity: number): Cart {
  if (quantity < 1) return removeLine(cart, productId)
  return changeLine(cart, productId, { quantity: clamp(quantity) })
}

/** The buyer has seen the new price and keeps the line. */
export const acceptPrice = (cart: Cart, productId: string, price: Money): Cart =>
  changeLine(cart, productId, { seen_price: price })

export function removeLine(cart: Cart, productId: string): Cart {
  return { ...cart, lines: cart.lines.filter((line) => line.product_id !== productId) }
}

function changeLine(cart: Cart, productId: string, change: Partial<CartLine>): Cart {
  const lines = cart.lines.map((line) =>
    line.product_id === productId ? { ...line, ...change } : line,
  )
  return { ...cart, lines }
}

/** The order was taken: what it holds leaves the cart; what another tab has added meanwhile stays. */
export function takeOut(cart: Cart, order: PlaceOrder, orderId: string): Cart {
  const ordered = new Map(order.line_items.map((line) => [line.product_id, line.quantity]))
  const lines = cart.lines.flatMap((line) => {
    const quantity = line.quantity - (ordered.get(line.product_id) ?? 0)
    return quantity > 0 ? [{ ...line, quantity }] : []
  })
  return { lines, attempt: null, last_order_id: orderId }
}

export const countOf = ({ lines }: Cart): number =>
  lines.reduce((sum, { quantity }) => sum + quantity, 0)

/** A cart from what was kept; whatever is not one, is an empty cart. */
export function parseCart(text: string | null): Cart {
  try {
    const kept = JSON.parse(text ?? '') as Partial<Cart>
    return {
      lines: Array.isArray(kept.lines) ? kept.lines.filter(isLine).slice(0, MAX_LINES) : [],
      attempt: isAttempt(kept.attempt) ? kept.attempt : null,
      last_order_id: typeof kept.last_order_id === 'string' ? kept.last_order_id : null,
    }
  } catch {
    return EMPTY
  }
}

function isLine(value: unknown): value is CartLine {
  const line = value as Partial<CartLine> | null
  return (
    typeof line?.product_id === 'string' &&
    Number.isInteger(line.quantity) &&
    Number(line.quantity) >= 1 &&
    Number.isInteger(line.seen_price?.amount) &&
    typeof line.seen_price?.currency === 'string'
  )
}

function isAttempt(value: unknown): value is Attempt {
  const attempt = value as Partial<Attempt> | null | undefined
  return (
    typeof attempt?.key === 'string' &&
    typeof attempt.owner_id === 'string' &&
    Array.isArray(attempt.order?.line_items)
  )
}
