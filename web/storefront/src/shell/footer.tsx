/** Owns the foot of every page. */
import { Link } from 'react-router'
import { Mark } from '../parts/mark.tsx'

const LINKS = [
  { to: '/shop', name: 'Everything' },
  { to: '/cart', name: 'Cart' },
  { to: '/orders', name: 'Your orders' },
  { to: '/account', name: 'Your account' },
]

export function Footer() {
  return (
    <footer className="mt-20 bg-band text-on-band print:hidden [&_:focus-visible]:outline-saffron">
      <div className="page grid gap-10 py-14 md:grid-cols-[1fr_auto] md:items-end">
        <div className="max-w-read">
          <Mark size={52} />
          <p className="mt-5 font-serif text-heading">
            A fermata is the sign in music that says: hold this.
          </p>
          <p className="mt-3 opacity-85">
            This shop shows what Quartet does. Nothing is sent, no real money moves, and the cards
            at the checkout are test cards.
          </p>
        </div>
        <nav aria-label="At the foot">
          <ul className="grid grid-cols-2 gap-x-10 gap-y-3 md:grid-cols-1 md:text-right">
            {LINKS.map(({ to, name }) => (
              <li key={to}>
                <Link to={to} className="underline-offset-4 hover:underline">
                  {name}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
      </div>
    </footer>
  )
}
