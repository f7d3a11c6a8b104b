/** Owns what the pages read: one entry per question, under one key each. */
import { infiniteQueryOptions, queryOptions, type InfiniteData } from '@tanstack/react-query'
import { ask } from './ask.ts'
import { queryClient } from './query-client.ts'
import type { Category, Order, OrderPage, Product, ProductPage, User } from './contracts.ts'

/** What is looked for in the catalog; each field is a parameter of GET /products. */
export type Search = {
  q?: string
  category?: string
  sort?: string
  min_price?: string
  max_price?: string
  in_stock?: string
}

const PAGE_SIZE = 24

function queryString(parameters: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') query.set(name, String(value))
  }
  return query.size === 0 ? '' : `?${query.toString()}`
}

export type Session = { user: User | null }

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => ask<Session>('/browser/session', { signal }),
  staleTime: 60_000,
})

export const categoriesQuery = queryOptions({
  queryKey: ['categories'],
  queryFn: ({ signal }) => ask<{ data: Category[] }>('/api/categories', { signal }),
  staleTime: 5 * 60_000,
})

export const productsQuery = (search: Search) =>
  infiniteQueryOptions({
    queryKey: ['products', search],
    queryFn: ({ signal, pageParam: cursor }) =>
      ask<ProductPage>(`/api/products${queryString({ ...search, cursor, limit: PAGE_SIZE })}`, {
        signal,
      }),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  })

export const shortListQuery = (search: Search, limit: number) =>
  queryOptions({
    queryKey: ['short-list', search, limit],
    queryFn: ({ signal }) =>
      ask<ProductPage>(`/api/products${queryString({ ...search, limit })}`, { signal }),
  })

/** A product with the stock that it has now; until that is here, as a list has shown it. */
export const productQuery = (id: string) => {
  const seen = () => seenInLists(id)
  return queryOptions({
    queryKey: ['product', id],
    queryFn: ({ signal }) => ask<Product>(`/api/products/${encodeURIComponent(id)}`, { signal }),
    staleTime: 5_000,
    initialData: () => seen()?.product,
    initialDataUpdatedAt: () => seen()?.atMs,
  })
}

/** What a product was called when it was last seen, where nobody says it now. */
export const seenName = (id: string): string =>
  (queryClient.getQueryData(productQuery(id).queryKey) ?? seenInLists(id)?.product)?.name ??
  'A product'

/** The newest that any list has said of a product. */
function seenInLists(id: string): { product: Product; atMs: number } | undefined {
  const lists = queryClient.getQueryCache().findAll({
    predicate: ({ queryKey: [kind] }) => kind === 'products' || kind === 'short-list',
  })
  const found = lists.flatMap(({ state: { data, dataUpdatedAt: atMs } }) => {
    const list = data as ProductPage | InfiniteData<ProductPage> | undefined
    const pages = list === undefined ? [] : 'pages' in list ? list.pages : [list]
    const product = pages.flatMap((page) => page.data).find((each) => each.id === id)
    return product === undefined ? [] : [{ product, atMs }]
  })
  return found.toSorted((one, other) => other.atMs - one.atMs)[0]
}

export const orderQuery = (id: string) =>
  queryOptions({
    queryKey: ['order', id],
    queryFn: ({ signal }) => ask<Order>(`/api/orders/${encodeURIComponent(id)}`, { signal }),
  })

/** The newest order alone: where it went is where the next may go. */
export const lastOrderQuery = (owner_id: string | undefined) =>
  queryOptions({
    queryKey: ['orders', 'last', owner_id],
    queryFn: ({ signal }) =>
      ask<OrderPage>(`/api/orders${queryString({ owner_id, limit: 1 })}`, { signal }),
  })

/** One's own orders: an admin would get everybody's. */
export const ordersQuery = (owner_id: string | undefined) =>
  infiniteQueryOptions({
    queryKey: ['orders', 'all', owner_id],
    queryFn: ({ signal, pageParam: cursor }) =>
      ask<OrderPage>(`/api/orders${queryString({ owner_id, cursor, limit: 10 })}`, { signal }),
    initialPageParam: '',
    getNextPageParam: (last) => last.next_cursor,
  })
