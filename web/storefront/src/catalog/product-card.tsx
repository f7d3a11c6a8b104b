/** Owns a product in a grid. */
import { useState } from 'react'
import { Link } from 'react-router'
import type { Product } from '../api/contracts.ts'
import { addLine } from '../cart/cart.ts'
import { changeCart } from '../cart/cart-store.ts'
import { Icon } from '../parts/icon.tsx'
import { formatMoney } from '../parts/money.ts'
import { Picture } from '../parts/picture.tsx'
import { say } from '../parts/said.tsx'
import { stockWords } from './stock-words.ts'
import { productPath } from './suggest.ts'

type Props = { product: Product; first?: boolean; level?: 2 | 3 }

export function ProductCard({ product, first = false, level = 2 }: Props) {
  const Name = `h${level}` as const
  const stock = stockWords(product)
  return (
    <article className="group relative">
      <div className="relative transition-transform duration-300 ease-soft group-hover:-translate-y-1">
        <Picture product={product} first={first} />
        {stock.isRare && (
          <p className="absolute top-3 left-3 rounded-full bg-card px-3 py-1 text-sm font-semibold">
            {stock.short}
          </p>
        )}
      </div>
      <div className="mt-3.5 flex items-start gap-3">
        <div className="min-w-0 flex-1">
          <Name className="font-sans text-[1.02rem] leading-snug font-semibold">
            <Link to={productPath(product.id)} className="after:absolute after:inset-0">
              {product.name}
            </Link>
          </Name>
          <p className="mt-0.5 text-soft tabular-nums">{formatMoney(product.price)}</p>
        </div>
        <QuickAdd product={product} />
      </div>
    </article>
  )
}

const SHOWN_MS = 1_600

/** One tap from the grid into the cart. */
function QuickAdd({ product }: { product: Product }) {
  const [isDone, setDone] = useState(false)
  if (product.available_quantity <= 0) return null
  return (
    <button
      type="button"
      aria-label={`Put ${product.name} into the cart`}
      className="relative grid size-11 shrink-0 place-items-center rounded-full border-[1.5px] border-edge text-ink transition-colors hover:border-plum hover:bg-plum hover:text-on-plum"
      onClick={() => {
        const { id: product_id, price: seen_price, name } = product
        changeCart((cart) => addLine(cart, { product_id, quantity: 1, seen_price }))
        say(`${name} is in your cart`)
        setDone(true)
        setTimeout(() => setDone(false), SHOWN_MS)
      }}
    >
      <Icon name={isDone ? 'check' : 'plus'} size={20} />
    </button>
  )
}

export function CardSkeleton() {
  return (
    <div aria-hidden="true">
      <div className="skeleton aspect-square rounded-box" />
      <div className="skeleton mt-4 h-4 w-3/4" />
      <div className="skeleton mt-2.5 h-4 w-1/4" />
    </div>
  )
}
