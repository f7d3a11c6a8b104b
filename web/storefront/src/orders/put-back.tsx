/** Owns putting what an order held back into the cart. */
import { useNavigate } from 'react-router'
import type { Order } from '../api/contracts.ts'
import { addLine } from '../cart/cart.ts'
import { changeCart } from '../cart/cart-store.ts'

export function PutBack({ order }: { order: Order }) {
  const navigate = useNavigate()
  const lines = order.line_items.flatMap(({ product_id, quantity, unit_price }) =>
    unit_price === null ? [] : [{ product_id, quantity, seen_price: unit_price }],
  )
  if (lines.length === 0) return null
  const wasDeclined = order.cancel_reason === 'payment_declined'
  return (
    <button
      type="button"
      className="button button-strong justify-self-start"
      onClick={() => {
        changeCart((cart) =>
          lines
            .filter(({ product_id }) => !cart.lines.some((line) => line.product_id === product_id))
            .reduce(addLine, cart),
        )
        void navigate(wasDeclined ? '/checkout' : '/cart')
      }}
    >
      {wasDeclined ? 'Pay with another card' : 'Put it into the cart again'}
    </button>
  )
}
