/** Owns what a check is: two books, what to compare page by page, and the names of what may differ. */
import type { Books } from './books.ts'

/** What a name of a difference means, and what mends it. */
export type Kind = {
  says: string
  /** For what the shop does not heal by itself: what a person looks at, or does. */
  byHand: string
}

/** What the system heals by itself once it is told to look again; each may be repeated (mend.ts). */
export type Nudge =
  | { do: 'drive-order' | 'close-order' | 'drive-payment'; id: string }
  | { do: 'number-events'; service: 'users' | 'products' | 'orders' | 'payments' }

export type Difference = {
  book: string
  kind: string
  /** What differs. */
  id: string
  /** What each book says of it. */
  detail: string
  /** Undefined: it wants a person. */
  nudge: Nudge | undefined
}

/** A difference as a check finds it; `item` is what to compare again. */
export type Found<Item, Name extends string> = {
  kind: Name
  id: string
  detail: string
  item: Item
  nudge?: Nudge | undefined
}

export type CheckOptions<Item, Name extends string> = {
  /** The two books, as in `orders, payments`. */
  book: string
  /** What is counted, in the plural. */
  noun: string
  kinds: Record<Name, Kind>
  pages: (books: Books) => AsyncIterable<Item[]>
  /** Compares these as they are now; items that are under way are left out. */
  compare: (books: Books, items: Item[]) => Promise<Found<Item, Name>[]>
}

/** What a first look found; `confirm` looks again and gives what still differs. */
export type Look = {
  compared: number
  suspects: number
  /** There were more than are looked at again. */
  hasMore: boolean
  confirm: () => Promise<Difference[]>
}

export type Check = {
  book: string
  noun: string
  kinds: Record<string, Kind>
  look: (books: Books) => Promise<Look>
}

/** Differences that a check keeps; where there are more, these are reason enough to look. */
export const MAX_DIFFERENCES = 1_000

/** A check of items that are compared page by page. */
export function createCheck<Item, Name extends string>(options: CheckOptions<Item, Name>): Check {
  const { book, noun, kinds, pages, compare } = options
  return {
    book,
    noun,
    kinds,
    async look(books) {
      let compared = 0
      const suspects: Found<Item, Name>[] = []
      for await (const items of pages(books)) {
        compared += items.length
        if (items.length === 0) continue
        const found = await compare(books, items)
        suspects.push(...found.slice(0, MAX_DIFFERENCES + 1 - suspects.length))
      }
      const kept = suspects.slice(0, MAX_DIFFERENCES)
      return {
        compared,
        suspects: kept.length,
        hasMore: suspects.length > MAX_DIFFERENCES,
        confirm: () => confirm(options, books, kept),
      }
    },
  }
}

// What differs twice in the same way isn't on its way.
async function confirm<Item, Name extends string>(
  { book, compare }: CheckOptions<Item, Name>,
  books: Books,
  suspects: Found<Item, Name>[],
): Promise<Difference[]> {
  if (suspects.length === 0) return []
  const before = new Set(suspects.map(nameOf))
  const found = await compare(books, [...new Set(suspects.map(({ item }) => item))])
  return found
    .filter((each) => before.has(nameOf(each)))
    .map(({ kind, id, detail, nudge }) => ({ book, kind, id, detail, nudge }))
}

const nameOf = ({ kind, id }: { kind: string; id: string }): string => `${kind} ${id}`

export type WholeOptions<Name extends string> = {
  book: string
  noun: string
  kinds: Record<Name, Kind>
  count: (books: Books) => Promise<number>
  /** All that differs, at most `limit`. */
  find: (books: Books, limit: number) => Promise<Omit<Found<never, Name>, 'item'>[]>
}

/** A check of two books of one database: one statement, so that it sees both at one moment. */
export function createWholeCheck<Name extends string>(options: WholeOptions<Name>): Check {
  const { book, noun, kinds, count, find } = options
  return {
    book,
    noun,
    kinds,
    async look(books) {
      const {
        suspects,
        hasMore,
        confirm: again,
      } = await createCheck<'all', Name>({
        book,
        noun,
        kinds,
        async *pages() {
          yield ['all']
        },
        async compare() {
          const found = await find(books, MAX_DIFFERENCES + 1)
          return found.map((each) => ({ ...each, item: 'all' }))
        },
      }).look(books)
      return { compared: await count(books), suspects, hasMore, confirm: again }
    },
  }
}
