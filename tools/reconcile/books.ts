/** Owns what is compared: a way to read each service's database, and the card processor's record. */
import pg from 'pg'
import { Explained } from '../explained.ts'
import type { ServiceName } from '../start/plan.ts'
import {
  answers,
  recordPage,
  type ChargeOutcome,
  type RecordEntry,
  type RecordPage,
} from '../provider/contract.ts'

/** One statement, in a read-only transaction of its own. Counts and amounts come as numbers. */
export type Read = <Row>(text: string, values?: unknown[]) => Promise<Row[]>

export type DatabaseBook = {
  /** Goes by index, however old the statistics are: a page, or the rows of some ids. */
  byIndex: Read
  /** All of a table, at one moment. */
  whole: Read
}

export type Books = {
  databases: Record<ServiceName, DatabaseBook>
  provider: ProviderBook
  /** What changed after this is under way, and not judged. */
  until: Date
}

/** Where the books are. */
export type Target = {
  databaseUrls: Record<ServiceName, string>
  provider: { url: string; apiKey: string }
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

const CONNECT_TIMEOUT_MS = 5_000
// One statement may read all of a large table.
const STATEMENT_TIMEOUT_MS = 300_000
const PROVIDER_TIMEOUT_MS = 30_000

/** Opens the four databases for reading; `close` ends their connections. */
export async function openDatabases(urls: Target['databaseUrls']) {
  const [users, products, orders, payments] = await Promise.all([
    openDatabase('users', urls.users),
    openDatabase('products', urls.products),
    openDatabase('orders', urls.orders),
    openDatabase('payments', urls.payments),
  ])
  const all = [users, products, orders, payments]
  return {
    databases: {
      users: users.book,
      products: products.book,
      orders: orders.book,
      payments: payments.book,
    } satisfies Books['databases'],
    close: async () => void (await Promise.all(all.map(({ close }) => close()))),
  }
}

/** A client of its own on a service's database, not connected yet. */
export function newClient(url: string): pg.Client {
  const types = new pg.TypeOverrides()
  types.setTypeParser(pg.types.builtins.INT8, Number)
  const client = new pg.Client({
    connectionString: url,
    application_name: 'reconcile',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types,
  })
  client.on('error', () => {}) // the statement that runs rejects, which is how we learn of it
  return client
}

async function openDatabase(name: ServiceName, url: string) {
  const client = newClient(url)
  await client.connect().catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Explained(`The database of ${name} cannot be opened: ${reason}`, { cause: error })
  })
  // One after another: a transaction is three statements.
  let last: Promise<unknown> = Promise.resolve()
  const reading =
    (settings: string): Read =>
    <Row>(text: string, values: unknown[] = []) => {
      const asked = last.then(() => readOnly<Row>(client, settings, { text, values }))
      last = asked.catch(() => {})
      return asked
    }
  const book: DatabaseBook = { byIndex: reading(BY_INDEX), whole: reading('') }
  return { book, close: () => client.end() }
}

// A table that has just grown may have no statistics yet, and each page would then be a scan of it all.
const BY_INDEX = `set local enable_seqscan = off; set local enable_bitmapscan = off;
  set local enable_sort = off; set local enable_hashjoin = off; set local enable_mergejoin = off;`

// Short transactions: one that lasted as long as a reconciliation would keep dead rows from being removed.
async function readOnly<Row>(
  client: pg.Client,
  settings: string,
  query: { text: string; values: unknown[] },
): Promise<Row[]> {
  await client.query(
    `begin isolation level repeatable read read only;
     set local statement_timeout = ${STATEMENT_TIMEOUT_MS}; ${settings}`,
  )
  try {
    return (await client.query<Row & pg.QueryResultRow>(query)).rows
  } finally {
    await client.query('rollback').catch(() => {}) // what failed before is what is told
  }
}

export type ProviderBook = {
  /** The record's entries after this sequence number, oldest first. */
  readPage: (after: number) => Promise<RecordPage>
  /** How charges stand, by key; what the provider never saw is missing. At most 1,000 keys. */
  lookUp: (keys: string[]) => Promise<Map<string, ChargeOutcome>>
}

/** The card processor behind `url`. */
export function openProvider({ url, apiKey }: Target['provider'], fetch: Fetch): ProviderBook {
  const ask = async (path: string, init: RequestInit) => {
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
    const signal = AbortSignal.timeout(PROVIDER_TIMEOUT_MS)
    const response = await fetch(url + path, { ...init, headers, signal }).catch(
      (error: unknown) => {
        throw new Explained(`The provider at ${url} does not answer.`, { cause: error })
      },
    )
    if (response.ok) return response.json()
    throw new Explained(`The provider at ${url} answers ${response.status} to ${path}.`)
  }
  return {
    readPage: async (after) => recordPage.parse(await ask(`/v1/record?after=${after}`, {})),
    async lookUp(keys) {
      if (keys.length === 0) return new Map()
      const init = { method: 'POST', body: JSON.stringify({ keys }) }
      const { outcomes } = answers.lookups.parse(await ask('/v1/lookups', init))
      const known = outcomes.flatMap((each) => (each.status === 'not_found' ? [] : [each]))
      return new Map(known.map((each) => [each.key, each]))
    },
  }
}

export const PAGE_SIZE = 1_000

/** Ids page by page. `text` selects `id` and `position` after $1, in that order, at most $2. */
export async function* pagesOf(
  { byIndex }: DatabaseBook,
  text: string,
  values: unknown[] = [],
): AsyncGenerator<string[]> {
  for (let after = 0; ;) {
    const rows = await byIndex<{ id: string; position: number }>(text, [
      after,
      PAGE_SIZE,
      ...values,
    ])
    if (rows.length > 0) yield rows.map(({ id }) => id)
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE_SIZE) return
    after = last.position
  }
}

/** The record's entries of these types, page by page. */
export async function* entriesOf<Type extends RecordEntry['type']>(
  provider: ProviderBook,
  types: readonly Type[],
): AsyncGenerator<Extract<RecordEntry, { type: Type }>[]> {
  const isWanted = (entry: RecordEntry): entry is Extract<RecordEntry, { type: Type }> =>
    types.some((type) => type === entry.type)
  for (let after: number | null = 0; after !== null;) {
    const page: RecordPage = await provider.readPage(after)
    yield page.data.filter(isWanted)
    after = page.next
  }
}
