/** Owns asking early: what the page at an address shows is on its way while the page's code still is. */
import { productQuery, productsQuery } from '../api/queries.ts'
import { queryClient } from '../api/query-client.ts'
import { toSearch } from '../catalog/filters.ts'

const step = (text: string | undefined): string | undefined => {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return undefined
  }
}

export function askAhead({ pathname, search }: Location): void {
  const [, page, name] = pathname.split('/')
  const what = step(name)
  if (page === 'shop') {
    void queryClient.prefetchInfiniteQuery(
      productsQuery(toSearch(new URLSearchParams(search), what)),
    )
  }
  if (page === 'products' && what !== undefined && what !== '') {
    void queryClient.prefetchQuery(productQuery(what))
  }
}
