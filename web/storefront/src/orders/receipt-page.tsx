/** Owns a receipt: an order on a sheet of paper. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from 'react-router'
import { useSession } from '../account/session.ts'
import type { Order } from '../api/contracts.ts'
import { orderQuery } from '../api/queries.ts'
import { Retry } from '../catalog/retry.tsx'
import { cardName } from '../checkout/cards.ts'
import { countryName } from '../parts/country-name.ts'
import { Icon } from '../parts/icon.tsx'
import { Mark } from '../parts/mark.tsx'
import { formatMoney } from '../parts/money.ts'
import { useTitle } from '../shell/arrival.ts'
import { storyOf } from './story.ts'

const date = new Intl.DateTimeFormat('en', { dateStyle: 'long' })

export function ReceiptPage() {
  const { id = '' } = useParams()
  const asked = useQuery(orderQuery(id))
  useTitle('Receipt')
  return (
    <div className="page pt-8 sm:pt-12 print:p-0">
      <div className="mx-auto mb-6 flex max-w-3xl flex-wrap justify-between gap-3 print:hidden">
        <Link to={`/orders/${id}`} className="link flex items-center gap-2">
          <Icon name="back" size={18} /> The order
        </Link>
        <button type="button" className="button button-strong" onClick={() => window.print()}>
          <Icon name="print" size={20} /> Print
        </button>
      </div>
      {asked.data !== undefined && <Sheet order={asked.data} />}
      {asked.isError && asked.data === undefined && (
        <Retry what="The receipt" again={() => void asked.refetch()} />
      )}
    </div>
  )
}

function Sheet({ order }: { order: Order }) {
  const { user } = useSession()
  const { shipping_address: to, payment_method } = order
  return (
    <article className="mx-auto max-w-3xl rounded-box bg-card p-7 sm:p-12 print:max-w-none print:bg-transparent print:p-0">
      <header className="flex items-start justify-between gap-6">
        <div>
          <h1 className="text-title">Receipt</h1>
          <p className="mt-1 text-soft [overflow-wrap:anywhere]">{order.id}</p>
        </div>
        <div className="flex items-center gap-2.5 text-plum">
          <Mark size={34} />
          <span className="font-serif text-[1.4rem] text-ink">fermata</span>
        </div>
      </header>
      <dl className="mt-9 grid gap-x-8 gap-y-5 sm:grid-cols-3">
        <Fact name="Date">{date.format(new Date(order.created_at))}</Fact>
        <Fact name="Status">{storyOf(order).label}</Fact>
        {payment_method !== null && <Fact name="Paid with">{cardName(payment_method)}</Fact>}
        <Fact name="Buyer">
          {to?.name ?? user?.name ?? ''}
          {user !== null && <span className="block">{user.email}</span>}
        </Fact>
        {to !== null && (
          <Fact name="Delivery to">
            {to.line1}, {to.line2 !== undefined && `${to.line2}, `}
            {to.postal_code} {to.city}, {countryName(to.country)}
          </Fact>
        )}
      </dl>
      <Lines order={order} />
      <p className="mt-10 text-sm text-soft">
        A receipt of the Quartet demo shop. No real money has moved.
      </p>
    </article>
  )
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="min-w-0 [overflow-wrap:anywhere]">
      <dt className="text-sm text-soft">{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function Lines({ order: { line_items, total } }: { order: Order }) {
  return (
    <table className="mt-10 w-full text-left">
      <thead className="border-b-2 border-ink text-sm">
        <tr>
          <th className="py-2">What</th>
          <th className="py-2 text-right">Each</th>
          <th className="py-2 text-right">How many</th>
          <th className="py-2 text-right">Price</th>
        </tr>
      </thead>
      <tbody>
        {line_items.map(({ product_id, name, quantity, unit_price, total: sum }) => (
          <tr key={product_id} className="border-b border-line tabular-nums">
            <td className="py-2.5 pr-3">{name}</td>
            <td className="py-2.5 text-right">{unit_price && formatMoney(unit_price)}</td>
            <td className="py-2.5 text-right">{quantity}</td>
            <td className="py-2.5 text-right">{sum && formatMoney(sum)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr className="text-[1.15rem] font-semibold tabular-nums">
          <th scope="row" colSpan={3} className="pt-4">
            Total, with delivery
          </th>
          <td className="pt-4 text-right">{total && formatMoney(total)}</td>
        </tr>
      </tfoot>
    </table>
  )
}
