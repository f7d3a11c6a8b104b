/** Owns an order's page: it lives, and says what is happening and what can be done. */
import { Link, useParams } from 'react-router'
import { useSession } from '../account/session.ts'
import { ClaimAccount } from '../account/claim-account.tsx'
import { Refusal } from '../api/ask.ts'
import type { Order } from '../api/contracts.ts'
import { Retry } from '../catalog/retry.tsx'
import { Icon } from '../parts/icon.tsx'
import { Blank } from '../parts/notice.tsx'
import { useTitle } from '../shell/arrival.ts'
import { countryName } from '../parts/country-name.ts'
import { bankUrl } from './bank-url.ts'
import { CancelOrder } from './cancel-order.tsx'
import { useLiveOrder } from './live-order.ts'
import { OrderLines } from './order-lines.tsx'
import { PayNow } from './pay-now.tsx'
import { PutBack } from './put-back.tsx'
import { StoryHead } from './story-head.tsx'
import { canCancel, canReorder, storyOf } from './story.ts'

export function OrderPage() {
  const { id = '' } = useParams()
  const asked = useLiveOrder(id)
  const { data: order, error } = asked
  useTitle(order === undefined ? (error === null ? undefined : 'Order') : storyOf(order).label)
  if (order !== undefined) return <Shown order={order} />
  if (error instanceof Refusal) return <NotYours needsLogIn={error.status === 401} />
  return (
    <div className="page">
      {error === null ? (
        <Waiting />
      ) : (
        <Retry what="The order desk" again={() => void asked.refetch()} isPage />
      )}
    </div>
  )
}

function Shown({ order }: { order: Order }) {
  const { user } = useSession()
  const { needs } = storyOf(order)
  return (
    <div className="page pt-8 sm:pt-14">
      <StoryHead order={order} />
      <div className="mt-9 grid items-start gap-10 lg:grid-cols-[1fr_24rem] lg:gap-16">
        <div className="grid gap-10">
          {needs === 'bank' && order.next_action !== null && (
            <a
              href={bankUrl(order.next_action.url, order.id)}
              className="button button-strong justify-self-start"
            >
              Confirm at your bank
              <Icon name="arrow" size={20} />
            </a>
          )}
          {needs === 'card' && <PayNow order={order} />}
          {canReorder(order) && <PutBack order={order} />}
          {user?.guest && order.status !== 'canceled' && <ClaimAccount user={user} />}
          <Address order={order} />
          <div className="flex flex-wrap gap-3">
            {order.total !== null && order.status !== 'canceled' && (
              <Link to={`/orders/${order.id}/receipt`} className="button button-plain">
                <Icon name="print" size={20} />
                Receipt
              </Link>
            )}
            {canCancel(order) && <CancelOrder order={order} />}
          </div>
        </div>
        <OrderLines order={order} />
      </div>
    </div>
  )
}

function Address({ order: { shipping_address: address } }: { order: Order }) {
  if (address === null) return null
  const { name, line1, line2, postal_code, city, region, country } = address
  const lines = [name, line1, line2, `${postal_code} ${city}`, region, countryName(country)]
  return (
    <section aria-labelledby="to">
      <h2 id="to" className="mb-2 text-heading">
        It goes to
      </h2>
      <address className="not-italic [overflow-wrap:anywhere]">
        {lines
          .filter((line) => line !== undefined && line !== '')
          .map((line) => (
            <span key={line} className="block">
              {line}
            </span>
          ))}
      </address>
    </section>
  )
}

function NotYours({ needsLogIn }: { needsLogIn: boolean }) {
  const here = window.location.pathname
  return (
    <div className="page">
      <Blank title={needsLogIn ? 'Whose order is it?' : 'This order is not here.'} isPage>
        <p>
          {needsLogIn
            ? 'Log in with the account that placed it, and it will be shown.'
            : 'There is no order at this address, or it was placed by somebody else.'}
        </p>
        <Link
          to={needsLogIn ? `/log-in?to=${encodeURIComponent(here)}` : '/orders'}
          className="button button-strong"
        >
          {needsLogIn ? 'Log in' : 'Your orders'}
        </Link>
      </Blank>
    </div>
  )
}

function Waiting() {
  return (
    <div className="pt-8 sm:pt-14" aria-busy="true">
      <div className="skeleton h-12 w-2/3" />
      <div className="skeleton mt-5 h-5 w-1/2" />
      <div className="skeleton mt-10 h-40 w-full rounded-box" />
    </div>
  )
}
