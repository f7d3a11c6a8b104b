/** Owns the first page: what the shop is, and the way into it. */
import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import type { Category } from '../api/contracts.ts'
import { categoriesQuery, shortListQuery } from '../api/queries.ts'
import { Icon } from '../parts/icon.tsx'
import { Picture } from '../parts/picture.tsx'
import { useTitle } from '../shell/arrival.ts'
import { Grid } from './grid.tsx'
import { Retry } from './retry.tsx'
import { StaleNotice } from './stale.tsx'
import { categoryPath, productPath } from './suggest.ts'

/** By name they come from all over the shop. */
const someQuery = shortListQuery({ sort: 'name' }, 12)
/** Which of them stand at the top: places in the list. */
const AT_THE_TOP = [4, 8, 0]

export function HomePage() {
  useTitle('')
  const some = useQuery(someQuery)
  const products = some.data?.data
  const top = products === undefined ? undefined : atTheTop(products)
  const others = products?.filter((product) => top?.includes(product) !== true).slice(0, 8)
  return (
    <>
      <Hero products={top} isDown={some.isError && products === undefined} />
      <div className="page">
        <Rooms />
        <section className="mt-16 sm:mt-24" aria-labelledby="some">
          <div className="mb-7 flex items-baseline justify-between gap-4">
            <h2 id="some" className="text-title">
              From all over the shop
            </h2>
            <Link to="/shop" className="link shrink-0">
              All of it
            </Link>
          </div>
          <StaleNotice of={some} />
          {some.isError && products === undefined ? (
            <Retry what="The catalog" again={() => void some.refetch()} />
          ) : (
            <Grid products={others} places={8} level={3} />
          )}
        </section>
      </div>
    </>
  )
}

function atTheTop<Of>(products: Of[]): Of[] {
  const chosen = AT_THE_TOP.flatMap((place) => products[place] ?? [])
  return chosen.length === AT_THE_TOP.length ? chosen : products.slice(0, 3)
}

type Shown = { id: string; name: string }

function Hero({ products, isDown }: { products: Shown[] | undefined; isDown: boolean }) {
  const [first, second, third] = products ?? [null, null, null]
  return (
    <section className="page grid items-center gap-10 pt-8 pb-4 sm:pt-12 lg:grid-cols-[1.05fr_1fr] lg:gap-16 lg:pt-16">
      <div>
        <h1 className="text-display">Things worth holding on to.</h1>
        <p className="mt-5 max-w-read text-[1.15rem] text-soft sm:mt-7 sm:text-[1.25rem]">
          Furniture, pans, lamps, books and clothes by people who mean them to be kept, mended and
          handed on.
        </p>
        <Link to="/shop" className="button button-strong mt-7 sm:mt-9">
          Look around
          <Icon name="arrow" size={20} />
        </Link>
      </div>
      {!isDown && (
        <div className="grid grid-cols-[1.62fr_1fr] gap-3 sm:gap-4">
          <div className="row-span-2 self-end">
            <HeroPicture product={first} />
          </div>
          <HeroPicture product={second} />
          <HeroPicture product={third} />
        </div>
      )}
    </section>
  )
}

/** `null` while it loads. */
function HeroPicture({ product }: { product: Shown | null | undefined }) {
  if (product === undefined) return null
  if (product === null) return <div className="skeleton aspect-square rounded-box" />
  return (
    <Link to={productPath(product.id)} className="block">
      <Picture product={product} alt={product.name} first />
    </Link>
  )
}

function Rooms() {
  const { data } = useQuery(categoriesQuery)
  const categories = data?.data ?? Array.from({ length: 8 }, () => undefined)
  return (
    <nav aria-label="What there is" className="mt-14 sm:mt-20">
      <ul className="grid grid-cols-2 border-t border-line sm:grid-cols-4">
        {categories.map((each, place) => (
          <li
            key={each?.category ?? place}
            className="border-b border-line even:border-l sm:border-l sm:nth-[4n+1]:border-l-0"
          >
            <Room category={each} />
          </li>
        ))}
      </ul>
    </nav>
  )
}

function Room({ category: room }: { category: Category | undefined }) {
  const look = 'flex items-baseline justify-between gap-2 px-3 py-4 sm:px-5 sm:py-6'
  const name = 'font-serif text-[1.2rem] sm:text-heading'
  if (room === undefined) {
    return (
      <span className={look} aria-hidden="true">
        <span className={`skeleton w-2/3 ${name}`}>&nbsp;</span>
      </span>
    )
  }
  return (
    <Link to={categoryPath(room.category)} className={`${look} hover:bg-tile`}>
      <span className={name}>{room.category}</span>
      <span className="text-sm text-soft tabular-nums">{room.count}</span>
    </Link>
  )
}
