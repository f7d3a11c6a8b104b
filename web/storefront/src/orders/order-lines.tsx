/** Owns what an order holds and what it costs. */
import { Link } from 'react-router'
import type { Order } from '../api/contracts.ts'
import { seenName } from '../api/queries.ts'
import { productPath } from '../catalog/suggest.ts'
import { cardName } from '../checkout/cards.ts'
import { formatMoney } from '../parts/money.ts'
import { Picture } from '../parts/picture.tsx'

export function OrderLines({ order }: { order: Order }) {
  return (
    <section aria-labelledby="what" className="rounded-box bg-card p-6">
      <h2 id="what" className="text-heading">
        What you ordered
      </h2>
      <ul className="mt-4 border-y border-line py-1">
        {order.line_items.map((line) => (
          <OrderLine key={line.product_id} line={line} />
        ))}
      </ul>
      <dl className="mt-4 grid grid-cols-[1fr_auto] gap-y-1.5">
        <dt className="text-soft">Delivery</dt>
        <dd className="text-right">included</dd>
        {order.payment_method !== null && (
          <>
            <dt className="text-soft">Card</dt>
            <dd className="text-right">{cardName(order.payment_method)}</dd>
          </>
        )}
        <dt className="font-semibold">Total</dt>
        <dd className="text-right text-[1.25rem] font-semibold tabular-nums">
          {order.total === null ? 'to be told' : formatMoney(order.total)}
        </dd>
      </dl>
    </section>
  )
}

function OrderLine({ line }: { line: Order['line_items'][number] }) {
  const name = line.name ?? seenName(line.product_id)
  return (
    <li className="flex items-center gap-3.5 py-2.5">
      <Link
        to={productPath(line.product_id)}
        className="w-13 shrink-0"
        tabIndex={-1}
        aria-hidden="true"
      >
        <Picture product={{ id: line.product_id, name }} />
      </Link>
      <span className="min-w-0 flex-1 leading-snug">
        <Link to={productPath(line.product_id)} className="underline-offset-4 hover:underline">
          {name}
        </Link>
        {line.quantity > 1 && <span className="text-soft"> × {line.quantity}</span>}
      </span>
      <span className="tabular-nums">{line.total === null ? '' : formatMoney(line.total)}</span>
    </li>
  )
}
