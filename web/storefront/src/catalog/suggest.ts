/** Owns what is suggested for what was typed: categories first, then products. */
import type { Category, Product } from '../api/contracts.ts'

export type Suggestion =
  | { kind: 'category'; name: string; count: number; to: string }
  | { kind: 'product'; product: Product; to: string }

const MAX_CATEGORIES = 2

export const categoryPath = (category: string): string => `/shop/${encodeURIComponent(category)}`
export const productPath = (id: string): string => `/products/${encodeURIComponent(id)}`

export function suggest(typed: string, categories: Category[], products: Product[]): Suggestion[] {
  const beginning = typed.trim().toLowerCase()
  if (beginning === '') return []
  const fitting = categories
    .filter(({ category }) => category.toLowerCase().startsWith(beginning))
    .slice(0, MAX_CATEGORIES)
  return [
    ...fitting.map(({ category: name, count }): Suggestion => {
      return { kind: 'category', name, count, to: categoryPath(name) }
    }),
    ...products.map((product): Suggestion => {
      return { kind: 'product', product, to: productPath(product.id) }
    }),
  ]
}
