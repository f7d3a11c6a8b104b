/** Owns how a search stands in the address, and what of it the shop is asked for. */
import type { Search } from '../api/queries.ts'
import { parsePrice } from '../parts/money.ts'

export const SORTS = [
  { value: '', name: 'What fits best' },
  { value: 'newest', name: 'Newest first' },
  { value: 'price', name: 'Cheapest first' },
  { value: '-price', name: 'Dearest first' },
  { value: 'name', name: 'By name' },
] as const

/** The demo's catalog has one currency; prices are typed in it. */
const CURRENCY = 'USD'

/** The address as a search: what makes no sense in it is left out. */
export function toSearch(parameters: URLSearchParams, category: string | undefined): Search {
  const text = (name: string) => (parameters.get(name) ?? '').trim().slice(0, 200)
  const sort = SORTS.some(({ value }) => value === text('sort')) ? text('sort') : ''
  const price = (name: string) => String(parsePrice(text(name), CURRENCY) ?? '')
  const search: Record<keyof Search, string> = {
    q: text('q'),
    category: category ?? '',
    sort,
    min_price: price('min'),
    max_price: price('max'),
    in_stock: parameters.get('stock') === '1' ? 'true' : '',
  }
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== ''))
}

/** What is wrong with a price that was typed; undefined where nothing is. */
export function priceError(min: string, max: string): string | undefined {
  const [from, to] = [min, max].map((text) =>
    text.trim() === '' ? null : parsePrice(text, CURRENCY),
  )
  if (from === undefined || to === undefined) return 'Enter a price as a number, such as 49.90.'
  if (from !== null && to !== null && from !== undefined && to !== undefined && from > to) {
    return 'The lower price is above the higher one.'
  }
  return undefined
}

/** The address with one of its parameters changed; what is empty leaves it. */
export function withParameters(
  parameters: URLSearchParams,
  changes: Record<string, string>,
): URLSearchParams {
  const changed = new URLSearchParams(parameters)
  for (const [name, value] of Object.entries(changes)) {
    if (value === '') changed.delete(name)
    else changed.set(name, value)
  }
  return changed
}

export const FILTER_NAMES = ['min', 'max', 'stock'] as const

export const countFilters = (parameters: URLSearchParams): number =>
  FILTER_NAMES.filter((name) => (parameters.get(name) ?? '') !== '').length
