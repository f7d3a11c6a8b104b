/** Owns what outlives a reload: what was last seen, so that it can be shown while its service is down. */
import { dehydrate, hydrate, type QueryClient } from '@tanstack/react-query'
import type { Session } from './queries.ts'

const STORAGE_KEY = 'fermata.seen'
const MAX_QUERIES = 60
const MAX_CHARACTERS = 1_000_000
const WRITE_EVERY_MS = 1_000

type Keep = (data: unknown) => unknown

const all: Keep = (data) => data
// So that a session goes on while users is down; the e-mail stays with the server.
const whoOnly: Keep = (data) => {
  const { user } = data as Session
  return { user: user && { ...user, email: '' } }
}

/** What is kept, by the first part of its key (queries.ts), and what of it. Orders are not. */
const KEPT = new Map<unknown, Keep>([
  ['session', whoOnly],
  ['categories', all],
  ['products', all],
  ['short-list', all],
  ['product', all],
])

const keepOf = ({ queryKey }: { queryKey: readonly unknown[] }) => KEPT.get(queryKey[0])

/** Fills the cache with what was seen, and from then on keeps what is seen. */
export function keepWhatIsSeen(client: QueryClient, storage: Storage): void {
  restore(client, storage)
  let waiting: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    clearTimeout(waiting)
    waiting = undefined
    write(client, storage)
  }
  client.getQueryCache().subscribe(({ type, query }) => {
    if (type !== 'updated' || keepOf(query) === undefined) return
    waiting ??= setTimeout(flush, WRITE_EVERY_MS)
  })
  window.addEventListener('pagehide', () => waiting !== undefined && flush())
}

function restore(client: QueryClient, storage: Storage): void {
  try {
    const text = storage.getItem(STORAGE_KEY)
    if (text === null) return
    hydrate(client, JSON.parse(text))
    // It is shown at once, and asked for again as soon as it is.
    for (const query of client.getQueryCache().getAll()) query.invalidate()
  } catch {
    // Written by another version, or not readable: the shop starts with nothing seen.
  }
}

function write(client: QueryClient, storage: Storage): void {
  const { queries } = dehydrate(client, {
    shouldDehydrateQuery: (query) => keepOf(query) !== undefined && query.state.data !== undefined,
  })
  const newest = queries
    .toSorted((one, other) => other.state.dataUpdatedAt - one.state.dataUpdatedAt)
    .slice(0, MAX_QUERIES)
    .map((query) => {
      const data = keepOf(query)?.(query.state.data)
      // What is kept was seen; that the last try failed is not.
      return { ...query, state: { ...query.state, data, status: 'success', error: null } }
    })
  const text = JSON.stringify({ queries: newest, mutations: [] })
  try {
    if (text.length <= MAX_CHARACTERS) storage.setItem(STORAGE_KEY, text)
  } catch {
    // Full, or not allowed: then nothing is kept.
  }
}
