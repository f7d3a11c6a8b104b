/** Owns the cart's page. */
import { Link } from 'react-router'
import { CartStaleNotice } from './stale.tsx'
import { seenName } from '../api/queries.ts'
import { productPath } from '../catalog/suggest.ts'
import { Icon } from '../parts/icon.tsx'
import { formatMoney, times } from '../parts/money.ts'
import { Blank } from '../parts/notice.tsx'
import { Picture } from '../parts/picture.tsx'
import { say } from '../parts/said.tsx'
import { useTitle } from '../shell/arrival.ts'
import { MAX_QUANTITY, removeLine, setQuantity } from './cart.ts'
import { changeCart, useCart } from './cart-store.ts'
import type { CheckedLine } from './check.ts'
import { useCheckedCart, type CheckedCart } from './checked-cart.ts'
import { LineTrouble } from './line-trouble.tsx'
import { Stepper } from './stepper.tsx'

export function CartPage() {
  useTitle('Cart')
  const cart = useCheckedCart()
  if (cart.lines.length === 0) return <EmptyCart />
  return (
    <div className="page pt-8 sm:pt-12">
      <h1 className="mb-8 text-title">Your cart</h1>
      <CartStaleNotice isStale={cart.isStale} />
      <div className="grid items-start gap-10 lg:grid-cols-[1fr_22rem] lg:gap-16">
        <ul className="border-t border-line">
          {cart.lines.map((line) => (
            <Line key={line.line.product_id} checked={line} />
          ))}
        </ul>
        <Summary cart={cart} />
      </div>
    </div>
  )
}

function Line({ checked }: { checked: CheckedLine }) {
  const { line, product, price } = checked
  const name = product?.name ?? seenName(line.product_id)
  const room = product === undefined ? MAX_QUANTITY : product.available_quantity
  return (
    <li className="grid grid-cols-[5.5rem_1fr] gap-x-4 border-b border-line py-5 sm:grid-cols-[7.5rem_1fr] sm:gap-x-6">
      <Link to={productPath(line.product_id)} tabIndex={-1} aria-hidden="true">
        <Picture product={{ id: line.product_id, name }} />
      </Link>
      <div className="flex min-w-0 flex-col">
        <div className="flex justify-between gap-4">
          <h2 className="font-sans text-[1.05rem] leading-snug font-semibold">
            <Link to={productPath(line.product_id)} className="underline-offset-4 hover:underline">
              {name}
            </Link>
          </h2>
          <p className="font-semibold tabular-nums">{formatMoney(times(price, line.quantity))}</p>
        </div>
        <p className="text-soft tabular-nums">{formatMoney(price)} each</p>
        <div className="mt-auto flex items-center justify-between gap-3 pt-3">
          <Stepper
            value={line.quantity}
            max={Math.min(room, MAX_QUANTITY)}
            name={name}
            onChange={(quantity) =>
              changeCart((cart) => setQuantity(cart, line.product_id, quantity))
            }
          />
          <button
            type="button"
            aria-label={`Take ${name} out of the cart`}
            className="grid size-11 place-items-center rounded-full text-soft hover:bg-tile hover:text-ink"
            onClick={() => {
              changeCart((cart) => removeLine(cart, line.product_id))
              say(`${name} is out of your cart`)
              document.getElementById('content')?.focus()
            }}
          >
            <Icon name="trash" size={20} />
          </button>
        </div>
        <LineTrouble line={checked} />
      </div>
    </li>
  )
}

function Summary({ cart: { total, hasTrouble } }: { cart: CheckedCart }) {
  return (
    <section aria-labelledby="sum" className="rounded-box bg-card p-6 lg:sticky lg:top-6">
      <h2 id="sum" className="text-heading">
        Together
      </h2>
      <dl className="mt-4 grid grid-cols-[1fr_auto] gap-y-2">
        <dt className="text-soft">Delivery</dt>
        <dd className="text-right">included</dd>
        <dt className="border-t border-line pt-3 font-semibold">Total</dt>
        <dd
          className="border-t border-line pt-3 text-right text-[1.25rem] font-semibold tabular-nums"
          aria-live="polite"
        >
          {total === undefined ? '–' : formatMoney(total)}
        </dd>
      </dl>
      {hasTrouble ? (
        <>
          <button type="button" className="button button-strong mt-6 w-full" disabled>
            To the checkout
          </button>
          <p className="mt-3 text-soft">First look at what is marked.</p>
        </>
      ) : (
        <Link to="/checkout" className="button button-strong mt-6 w-full">
          To the checkout
        </Link>
      )}
      <p className="mt-4 text-center">
        <Link to="/shop" className="link">
          Look around some more
        </Link>
      </p>
    </section>
  )
}

function EmptyCart() {
  const { last_order_id } = useCart()
  return (
    <div className="page">
      <Blank title="Your cart is empty." isPage>
        <p>It is kept in this browser, so it will wait for you, for as long as you like.</p>
        {last_order_id !== null && (
          <p className="mt-2">
            <Link to={`/orders/${last_order_id}`} className="link">
              What you ordered last
            </Link>
          </p>
        )}
        <Link to="/shop" className="button button-strong">
          Look around
        </Link>
      </Blank>
    </div>
  )
}
