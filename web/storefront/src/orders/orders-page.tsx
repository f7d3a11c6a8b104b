/** Owns the list of one's own orders. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { useSession } from '../account/session.ts'
import { Refusal } from '../api/ask.ts'
import type { Order } from '../api/contracts.ts'
import { ordersQuery, seenName } from '../api/queries.ts'
import { Retry } from '../catalog/retry.tsx'
import { More } from '../parts/more.tsx'
import { formatMoney } from '../parts/money.ts'
import { Blank } from '../parts/notice.tsx'
import { Picture } from '../parts/picture.tsx'
import { useTitle } from '../shell/arrival.ts'
import { storyOf, type Tone } from './story.ts'

export function OrdersPage() {
  useTitle('Your orders')
  const { user, isKnown } = useSession()
  const list = useInfiniteQuery({ ...ordersQuery(user?.id), enabled: user !== null || !isKnown })
  const orders = list.data?.pages.flatMap(({ data }) => data)
  const isSignedOut =
    (isKnown && user === null) || (list.error instanceof Refusal && list.error.status === 401)
  if (isSignedOut) return <SignedOut />
  if (list.isError && orders === undefined) {
    return (
      <div className="page">
        <Retry what="The order desk" again={() => void list.refetch()} isPage />
      </div>
    )
  }
  if (orders?.length === 0) return <NoOrders />
  return (
    <div className="page pt-8 sm:pt-12">
      <h1 className="mb-8 text-title">Your orders</h1>
      <ul className="border-t border-line" aria-busy={orders === undefined}>
        {orders === undefined
          ? Array.from({ length: 3 }, (_, place) => <RowSkeleton key={place} />)
          : orders.map((order) => <Row key={order.id} order={order} />)}
      </ul>
      <More list={list} />
    </div>
  )
}

const date = new Intl.DateTimeFormat('en', { dateStyle: 'long' })
const MAX_PICTURES = 3

const TONE: Record<Tone, string> = {
  waiting: 'bg-wash text-on-wash',
  good: 'bg-good-wash text-good',
  bad: 'bg-bad-wash text-bad',
  quiet: 'bg-tile text-soft',
}

function Row({ order }: { order: Order }) {
  const { label, tone } = storyOf(order)
  const names = order.line_items.map(({ name, product_id }) => name ?? seenName(product_id))
  return (
    <li className="relative border-b border-line">
      <div className="flex flex-wrap items-center gap-x-6 gap-y-3 py-5">
        <span className="flex gap-2" aria-hidden="true">
          {order.line_items.slice(0, MAX_PICTURES).map(({ product_id, name }) => (
            <span key={product_id} className="w-16">
              <Picture product={{ id: product_id, name: name ?? '' }} />
            </span>
          ))}
        </span>
        <div className="min-w-48 flex-1">
          <h2 className="font-sans leading-snug font-semibold">
            <Link to={`/orders/${order.id}`} className="after:absolute after:inset-0">
              {names.slice(0, MAX_PICTURES).join(', ')}
              {names.length > MAX_PICTURES && ` and ${names.length - MAX_PICTURES} more`}
            </Link>
          </h2>
          <p className="text-soft">{date.format(new Date(order.created_at))}</p>
        </div>
        <p className={`rounded-full px-3.5 py-1 text-[0.95rem] font-semibold ${TONE[tone]}`}>
          {label}
        </p>
        <p className="min-w-24 text-right font-semibold tabular-nums">
          {order.total === null ? '' : formatMoney(order.total)}
        </p>
      </div>
    </li>
  )
}

function RowSkeleton() {
  return (
    <li className="flex gap-6 border-b border-line py-5" aria-hidden="true">
      <div className="skeleton size-16 rounded-box" />
      <div className="flex-1">
        <div className="skeleton h-4 w-1/2" />
        <div className="skeleton mt-3 h-4 w-1/4" />
      </div>
    </li>
  )
}

function NoOrders() {
  return (
    <div className="page">
      <Blank title="No orders yet." isPage>
        <p>When there is one, it will live here: from the moment it is placed until it is sent.</p>
        <Link to="/shop" className="button button-strong">
          Look around
        </Link>
      </Blank>
    </div>
  )
}

function SignedOut() {
  return (
    <div className="page">
      <Blank title="Whose orders?" isPage>
        <p>Log in, and they are here. As a guest you are known in the browser you ordered with.</p>
        <Link to="/log-in?to=/orders" className="button button-strong">
          Log in
        </Link>
      </Blank>
    </div>
  )
}
