/** Owns the catalog: everything, a category, or what a search found. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearchParams } from 'react-router'
import { categoriesQuery, productsQuery } from '../api/queries.ts'
import { More } from '../parts/more.tsx'
import { Blank } from '../parts/notice.tsx'
import { useTitle } from '../shell/arrival.ts'
import { FilterBar } from './filter-bar.tsx'
import { countFilters, toSearch } from './filters.ts'
import { Grid } from './grid.tsx'
import { Retry } from './retry.tsx'
import { StaleNotice } from './stale.tsx'
import { categoryPath } from './suggest.ts'

export function CatalogPage() {
  const { category } = useParams()
  const [parameters] = useSearchParams()
  const search = toSearch(parameters, category)
  const title = search.q === undefined ? (category ?? 'Everything') : `“${search.q}”`
  useTitle(title)
  const list = useInfiniteQuery(productsQuery(search))
  const products = list.data?.pages.flatMap(({ data }) => data)
  return (
    <div className="page pt-8 sm:pt-12">
      <h1 className="text-title [overflow-wrap:anywhere] md:mb-7">{title}</h1>
      <Ways current={category} />
      <FilterBar />
      <StaleNotice of={list} />
      <Found of={list} products={products} hasFilters={countFilters(parameters) > 0} />
      <More list={list} />
    </div>
  )
}

type List = Pick<ReturnType<typeof useInfiniteQuery>, 'isError' | 'refetch'>

function Found({
  of: { isError, refetch },
  products,
  hasFilters,
}: {
  of: List
  products: Parameters<typeof Grid>[0]['products']
  hasFilters: boolean
}) {
  if (isError && products === undefined) {
    return <Retry what="The catalog" again={() => void refetch()} />
  }
  if (products?.length === 0) return <Nothing hasFilters={hasFilters} />
  return <Grid products={products} places={12} above={4} />
}

function Nothing({ hasFilters }: { hasFilters: boolean }) {
  return (
    <Blank title="Nothing like that is here.">
      <p>
        {hasFilters
          ? 'Perhaps with a wider range of prices, or with what is sold out just now.'
          : 'Perhaps under another word, or with fewer letters of it.'}
      </p>
      <Link to="/shop" className="button button-strong">
        Look at everything
      </Link>
    </Blank>
  )
}

/** On a phone the categories are not in the header: here they are. */
function Ways({ current }: { current: string | undefined }) {
  const { data } = useQuery(categoriesQuery)
  return (
    <nav aria-label="Other categories" className="mt-5 mb-6 md:hidden">
      <ul className="-mx-[var(--spacing-gutter)] flex gap-2 overflow-x-auto px-[var(--spacing-gutter)] pb-2 [scrollbar-width:none]">
        {[undefined, ...(data?.data ?? [])].map((each) => (
          <li key={each?.category ?? ''} className="shrink-0">
            <Link
              to={each === undefined ? '/shop' : categoryPath(each.category)}
              aria-current={current === each?.category ? 'page' : undefined}
              ref={current === each?.category ? bringIntoSight : undefined}
              className="block rounded-full border-[1.5px] border-edge px-4 py-2 aria-[current=page]:border-plum aria-[current=page]:bg-plum aria-[current=page]:text-on-plum"
            >
              {each?.category ?? 'Everything'}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  )
}

/** Within its row alone: the page stays where it is. */
function bringIntoSight(link: HTMLAnchorElement | null): void {
  link?.closest('ul')?.scrollTo({ left: link.offsetLeft - link.clientWidth })
}
