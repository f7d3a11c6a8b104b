/** Owns the way back to an order that was sent and whose end this browser does not know yet. */
import { Link, useLocation } from 'react-router'
import { useSession } from '../account/session.ts'
import { useCart } from '../cart/cart-store.ts'

export function OpenOrderBar() {
  const { attempt } = useCart()
  const { user } = useSession()
  const { pathname } = useLocation()
  if (attempt === null || pathname === '/checkout' || user?.id !== attempt.owner_id) return null
  return (
    <p className="bg-wash py-3 text-on-wash print:hidden">
      <span className="page block">
        An order was sent, and its answer got lost on the way. It is not lost, and it will not be
        placed twice.{' '}
        <Link to="/checkout" className="font-semibold underline underline-offset-4">
          See what became of it
        </Link>
      </span>
    </p>
  )
}
