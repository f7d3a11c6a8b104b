/** Owns how stock is told. */
import type { Product } from '../api/contracts.ts'

const FEW = 5

type StockWords = {
  /** For the product's page. */
  long: string
  /** For a corner of its picture. */
  short: string
  /** Whether it must be said before it is too late. */
  isRare: boolean
  isSold: boolean
}

export function stockWords({ available_quantity: left, status }: Product): StockWords {
  if (status === 'archived') {
    return { long: 'Not sold any more', short: 'Not sold any more', isRare: true, isSold: true }
  }
  if (left <= 0) return { long: 'Sold out', short: 'Sold out', isRare: true, isSold: true }
  if (left <= FEW) {
    const words = left === 1 ? 'The last one' : `Only ${left} left`
    return { long: words, short: words, isRare: true, isSold: false }
  }
  return { long: `${left} in stock`, short: `${left} in stock`, isRare: false, isSold: false }
}
