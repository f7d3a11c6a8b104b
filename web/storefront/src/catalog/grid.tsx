/** Owns products side by side, in as many columns as there is room for. */
import type { Product } from '../api/contracts.ts'
import { CardSkeleton, ProductCard } from './product-card.tsx'

const GRID = 'grid grid-cols-2 gap-x-4 gap-y-9 sm:gap-x-6 md:grid-cols-3 lg:grid-cols-4 lg:gap-y-12'

type Props = {
  products: Product[] | undefined
  /** How many places are kept while they load. */
  places: number
  /** How many of them are seen at once: their pictures come first. */
  above?: number
  level?: 2 | 3
  className?: string
}

export function Grid({ products, places, above = 0, level = 2, className = GRID }: Props) {
  if (products === undefined) {
    return (
      <div className={className} aria-busy="true" aria-label="Loading" role="group">
        {Array.from({ length: places }, (_, place) => (
          <CardSkeleton key={place} />
        ))}
      </div>
    )
  }
  return (
    <ul className={className}>
      {products.map((product, place) => (
        <li key={product.id}>
          <ProductCard product={product} first={place < above} level={level} />
        </li>
      ))}
    </ul>
  )
}
