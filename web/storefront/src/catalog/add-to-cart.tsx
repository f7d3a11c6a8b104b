/** Owns putting a product into the cart from its page. */
import { useState } from 'react'
import { Link } from 'react-router'
import type { Product } from '../api/contracts.ts'
import { addLine, MAX_QUANTITY } from '../cart/cart.ts'
import { changeCart, useCart } from '../cart/cart-store.ts'
import { Stepper } from '../cart/stepper.tsx'
import { Icon } from '../parts/icon.tsx'
import { say } from '../parts/said.tsx'

export function AddToCart({ product, isSold }: { product: Product; isSold: boolean }) {
  const { id: product_id, name, price: seen_price, available_quantity: left } = product
  const [quantity, setQuantity] = useState(1)
  const inCart = useCart().lines.find((line) => line.product_id === product_id)?.quantity ?? 0
  const room = Math.min(left, MAX_QUANTITY) - inCart
  if (isSold) return null
  return (
    <div className="mt-5">
      <div className="flex flex-wrap items-center gap-3">
        <Stepper
          value={Math.min(quantity, Math.max(room, 1))}
          max={Math.max(room, 1)}
          name={name}
          onChange={setQuantity}
        />
        <button
          type="button"
          className="button button-strong flex-1 sm:flex-none sm:px-10"
          disabled={room < 1}
          onClick={() => {
            const added = Math.min(quantity, room)
            changeCart((cart) => addLine(cart, { product_id, quantity: added, seen_price }))
            setQuantity(1)
            say(`${name} is in your cart`)
          }}
        >
          Put into the cart
        </button>
      </div>
      {inCart > 0 && (
        <p className="rise mt-4 flex items-center gap-2">
          <Icon name="check" size={20} />
          <span>
            {room < 1 ? `All ${inCart} are in your cart. ` : `${inCart} in your cart. `}
            <Link to="/cart" className="link">
              Go to the cart
            </Link>
          </span>
        </p>
      )}
    </div>
  )
}
