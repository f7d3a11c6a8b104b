/** Owns a product's page: what it is, what it costs, whether it is there. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from 'react-router'
import { Refusal } from '../api/ask.ts'
import type { Product } from '../api/contracts.ts'
import { useKeptSinceMs } from '../api/kept-copy.ts'
import { productQuery, shortListQuery } from '../api/queries.ts'
import { formatMoney } from '../parts/money.ts'
import { Blank } from '../parts/notice.tsx'
import { Picture } from '../parts/picture.tsx'
import { useTitle } from '../shell/arrival.ts'
import { AddToCart } from './add-to-cart.tsx'
import { Grid } from './grid.tsx'
import { Retry } from './retry.tsx'
import { StaleNotice } from './stale.tsx'
import { stockWords } from './stock-words.ts'
import { categoryPath } from './suggest.ts'

/** Stock that is looked at is stock that is true. */
const LOOK_AGAIN_MS = 15_000

export function ProductPage() {
  const { id = '' } = useParams()
  const asked = useQuery({ ...productQuery(id), refetchInterval: LOOK_AGAIN_MS })
  const keptSinceMs = useKeptSinceMs()
  const product = asked.data
  const isGone = asked.error instanceof Refusal
  useTitle(isGone ? 'Not here' : product?.name)
  if (isGone) return <Gone />
  if (product === undefined && asked.isError) {
    return (
      <div className="page">
        <Retry what="The catalog" again={() => void asked.refetch()} isPage />
      </div>
    )
  }
  if (product === undefined) return <ProductSkeleton />
  return (
    <div className="page pt-6 sm:pt-10">
      <StaleNotice of={asked} />
      <Shown product={product} isStale={asked.isError || keptSinceMs !== undefined} />
      <MoreLikeIt product={product} />
    </div>
  )
}

function Shown({ product, isStale }: { product: Product; isStale: boolean }) {
  const stock = stockWords(product)
  return (
    <article className="grid gap-7 md:grid-cols-[1.15fr_1fr] md:gap-12 lg:gap-20">
      <Picture product={product} alt={`Drawing: ${product.name}`} first />
      <div className="md:pt-6 lg:pt-14">
        <Link
          to={categoryPath(product.category)}
          className="text-soft underline-offset-4 hover:underline"
        >
          {product.category}
        </Link>
        <h1 className="mt-2 text-title">{product.name}</h1>
        <p className="mt-4 text-[1.5rem] tabular-nums">{formatMoney(product.price)}</p>
        <p className="mt-6 max-w-read text-[1.1rem] whitespace-pre-line text-soft">
          {product.description}
        </p>
        <p
          className={`mt-7 flex items-center gap-2.5 font-semibold ${stock.isSold ? 'text-bad' : stock.isRare ? 'text-on-wash' : 'text-good'}`}
        >
          <span className="size-2.5 rounded-full bg-current" aria-hidden="true" />
          {stock.long}
          {isStale && <span className="font-normal text-soft">, when it was last known</span>}
        </p>
        <AddToCart key={product.id} product={product} isSold={stock.isSold} />
        <ul className="mt-9 grid gap-2 border-t border-line pt-6 text-soft">
          <li>Delivery is included in the price.</li>
          <li>Until it is sent, you can cancel with one click and get everything back.</li>
        </ul>
      </div>
    </article>
  )
}

function MoreLikeIt({ product }: { product: Product }) {
  const { data } = useQuery(shortListQuery({ category: product.category }, 5))
  const others = data?.data.filter(({ id }) => id !== product.id).slice(0, 4)
  if (others?.length === 0) return null
  return (
    <section className="mt-20 border-t border-line pt-10" aria-labelledby="more">
      <h2 id="more" className="mb-7 text-heading">
        More from {product.category}
      </h2>
      <Grid products={others} places={4} level={3} />
    </section>
  )
}

function Gone() {
  return (
    <div className="page">
      <Blank title="This is not here." isPage>
        <p>
          Either it was never sold under this address, or it is not sold any more. There is much
          else to hold on to.
        </p>
        <Link to="/shop" className="button button-strong">
          Look at everything
        </Link>
      </Blank>
    </div>
  )
}

function ProductSkeleton() {
  return (
    <div
      className="page grid gap-7 pt-6 sm:pt-10 md:grid-cols-[1.15fr_1fr] md:gap-12 lg:gap-20"
      aria-busy="true"
    >
      <div className="skeleton aspect-square rounded-box" />
      <div className="md:pt-6 lg:pt-14">
        <div className="skeleton h-4 w-24" />
        <div className="skeleton mt-4 h-10 w-4/5" />
        <div className="skeleton mt-5 h-7 w-28" />
        <div className="skeleton mt-8 h-4 w-full" />
        <div className="skeleton mt-3 h-4 w-5/6" />
      </div>
    </div>
  )
}
