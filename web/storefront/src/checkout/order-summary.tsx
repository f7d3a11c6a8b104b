/** Owns what is about to be ordered, beside the form. */
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { seenName } from '../api/queries.ts'
import type { CheckedCart } from '../cart/checked-cart.ts'
import { LineTrouble } from '../cart/line-trouble.tsx'
import { formatMoney, times } from '../parts/money.ts'
import { Picture } from '../parts/picture.tsx'

export function OrderSummary({ cart, children }: { cart: CheckedCart; children: ReactNode }) {
  return (
    <section aria-labelledby="order" className="rounded-box bg-card p-6 lg:sticky lg:top-6">
      <div className="flex items-baseline justify-between gap-4">
        <h2 id="order" className="text-heading">
          Your order
        </h2>
        <Link to="/cart" className="link">
          Change it
        </Link>
      </div>
      <ul className="mt-4 border-y border-line py-1">
        {cart.lines.map((checked) => {
          const { line, product, price } = checked
          const name = product?.name ?? seenName(line.product_id)
          return (
            <li key={line.product_id} className="py-2.5">
              <div className="flex items-center gap-3.5">
                <span className="w-13 shrink-0">
                  <Picture product={{ id: line.product_id, name }} />
                </span>
                <span className="min-w-0 flex-1 leading-snug">
                  {name}
                  {line.quantity > 1 && <span className="text-soft"> × {line.quantity}</span>}
                </span>
                <span className="tabular-nums">{formatMoney(times(price, line.quantity))}</span>
              </div>
              <LineTrouble line={checked} />
            </li>
          )
        })}
      </ul>
      <dl className="mt-4 grid grid-cols-[1fr_auto] gap-y-1.5">
        <dt className="text-soft">Delivery</dt>
        <dd className="text-right">included</dd>
        <dt className="font-semibold">Total</dt>
        <dd className="text-right text-[1.25rem] font-semibold tabular-nums">
          {cart.total === undefined ? '–' : formatMoney(cart.total)}
        </dd>
      </dl>
      {children}
    </section>
  )
}
