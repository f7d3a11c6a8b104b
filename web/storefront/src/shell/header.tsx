/** Owns the top of every page: the name, the search, the account and the cart. */
import { useQuery } from '@tanstack/react-query'
import { Link, NavLink } from 'react-router'
import { useSession } from '../account/session.ts'
import { categoriesQuery } from '../api/queries.ts'
import { countOf } from '../cart/cart.ts'
import { useCart } from '../cart/cart-store.ts'
import { SearchBox } from '../catalog/search-box.tsx'
import { Icon } from '../parts/icon.tsx'
import { Mark } from '../parts/mark.tsx'
import { ThemeButton } from './theme-button.tsx'

export function Header() {
  return (
    <header className="sticky top-0 z-30 border-b border-line bg-paper md:static print:hidden">
      <div className="page grid grid-cols-[1fr_auto] items-center gap-x-4 pt-3 pb-3 md:grid-cols-[auto_1fr_auto] md:gap-x-10 md:pt-5 md:pb-3">
        <Link
          to="/"
          className="flex items-center gap-2.5 py-1 text-mark"
          aria-label="Fermata, home"
        >
          <Mark size={34} />
          <span className="font-serif text-[1.6rem] leading-none tracking-[-0.02em] text-ink">
            fermata
          </span>
        </Link>
        <div className="order-last col-span-2 mt-2 md:order-none md:col-span-1 md:mt-0">
          <SearchBox />
        </div>
        <Tools />
      </div>
      <Categories />
    </header>
  )
}

const TOOL =
  'relative flex h-11 min-w-11 items-center justify-center gap-2 rounded-full px-2.5 hover:bg-tile'

function Tools() {
  const { user } = useSession()
  const count = countOf(useCart())
  return (
    <div className="-mr-2.5 flex items-center">
      <ThemeButton className={TOOL} />
      <Link to={user === null ? '/log-in' : '/account'} className={TOOL}>
        <Icon name="person" />
        <span className="sr-only lg:not-sr-only lg:text-[0.95rem] lg:font-medium">
          {user === null ? 'Log in' : (user.name.split(' ')[0] ?? 'Account')}
        </span>
      </Link>
      <Link to="/cart" className={TOOL}>
        <Icon name="bag" />
        <span className="sr-only lg:not-sr-only lg:text-[0.95rem] lg:font-medium">Cart</span>
        {count > 0 && (
          <span
            key={count}
            className="rise absolute top-0.5 right-0 grid h-5 min-w-5 place-items-center rounded-full bg-plum px-1 text-xs font-bold text-on-plum tabular-nums lg:static"
          >
            {count}
            <span className="sr-only">{count === 1 ? ' thing' : ' things'}</span>
          </span>
        )}
      </Link>
    </div>
  )
}

function Categories() {
  const { data } = useQuery(categoriesQuery)
  return (
    <nav aria-label="Categories" className="page hidden md:block">
      <ul className="-mx-3 flex min-h-12 flex-wrap items-center gap-x-1 pb-1">
        {[undefined, ...(data?.data ?? [])].map((each) => (
          <li key={each?.category ?? ''}>
            <NavLink
              end
              to={each === undefined ? '/shop' : `/shop/${encodeURIComponent(each.category)}`}
              className="block rounded-full px-3 py-1.5 text-[0.97rem] text-soft hover:text-ink aria-[current=page]:font-semibold aria-[current=page]:text-ink aria-[current=page]:underline aria-[current=page]:decoration-saffron aria-[current=page]:decoration-[3px] aria-[current=page]:underline-offset-8"
            >
              {each?.category ?? 'Everything'}
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  )
}
