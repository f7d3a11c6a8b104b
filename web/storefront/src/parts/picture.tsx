/** Owns a product's picture, and what stands in for one that is not there. */
import { useState } from 'react'

type Pictured = { id: string; name: string }

type Props = {
  product: Pictured
  /** What a screen reader says; empty where the name stands beside it. */
  alt?: string
  /** The first thing on the page: loaded before others. */
  first?: boolean
}

/** A square that is there before the picture is: nothing moves when it comes. */
export function Picture({ product, alt = '', first = false }: Props) {
  const [failed, setFailed] = useState<string>()
  const source = `/pictures/${encodeURIComponent(product.id)}.svg`
  return (
    <span className="block aspect-square overflow-hidden rounded-box bg-tile">
      {failed === source ? (
        <StandIn product={product} alt={alt} />
      ) : (
        <img
          src={source}
          alt={alt}
          width="480"
          height="480"
          loading={first ? 'eager' : 'lazy'}
          fetchPriority={first ? 'high' : 'auto'}
          decoding="async"
          className="size-full object-cover"
          onError={() => setFailed(source)}
        />
      )}
    </span>
  )
}

/** Arcs and a dot, as in the mark; which ones follows from the id, so that a product keeps its own. */
function StandIn({ product: { id }, alt }: { product: Pictured; alt: string }) {
  const seed = Array.from(id).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7)
  const turn = (seed % 4) * 90
  const reach = 14 + (seed % 5) * 3
  return (
    <svg
      viewBox="0 0 100 100"
      className="size-full text-mark"
      {...(alt === '' ? { 'aria-hidden': true } : { role: 'img', 'aria-label': alt })}
    >
      <g transform={`rotate(${turn} 50 50)`} fill="none" stroke="currentColor">
        <path d={`M${50 - reach} 62a${reach} ${reach} 0 0 1 ${2 * reach} 0`} strokeWidth="7" />
        <path d="M14 62a36 36 0 0 1 72 0" strokeWidth="2" opacity="0.35" />
        <circle cx="50" cy="60" r="4.5" fill="var(--color-saffron)" stroke="none" />
      </g>
    </svg>
  )
}
