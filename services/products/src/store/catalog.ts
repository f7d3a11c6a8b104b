/** Owns the SQL of the catalog: products with what is available of each. */
import type { Tx } from '@quartet/kit/postgres'
import { availableOf, type Product } from '../domain.ts'

/** A product with what is left of it; `position` orders them by creation, `rank` is that of a search. */
export type Listing = { product: Product; available: number; position: number; rank: number }

type ProductRow = {
  position: number
  id: string
  name: string
  description: string
  category: string
  price_amount: number
  price_currency: string
  status: Product['status']
  version: number
  created_at: Date
  updated_at: Date
  stocked: number
  reserved: number
  rank: number
}

const COLUMNS = `products.position, id, name, description, category, price_amount, price_currency,
  status, version, created_at, updated_at, stocked, reserved`

const toListing = (row: ProductRow): Listing => ({
  product: {
    id: row.id,
    name: row.name,
    description: row.description,
    category: row.category,
    priceAmount: row.price_amount,
    priceCurrency: row.price_currency,
    status: row.status,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  },
  available: availableOf(row),
  position: row.position,
  rank: row.rank,
})

/** Inserts a product with its first stock; false when the id is taken. */
export async function insertProduct(tx: Tx, product: Product, stocked: number): Promise<boolean> {
  const inserted = await tx.query(
    `insert into products (id, name, description, category, price_amount, price_currency, status,
       version, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) on conflict do nothing returning id`,
    [
      product.id,
      product.name,
      product.description,
      product.category,
      product.priceAmount,
      product.priceCurrency,
      product.status,
      product.version,
      product.createdAt,
    ],
  )
  if (inserted.length === 0) return false
  await tx.query('insert into stock (product_id, stocked, reserved) values ($1, $2, 0)', [
    product.id,
    stocked,
  ])
  return true
}

/** Writes a product over the version before; false when it is not at that version any more. */
export async function updateProduct(tx: Tx, product: Product): Promise<boolean> {
  const updated = await tx.query(
    `update products set name = $2, description = $3, category = $4, price_amount = $5,
       price_currency = $6, status = $7, version = $8, updated_at = $9
     where id = $1 and version = $8 - 1 returning id`,
    [
      product.id,
      product.name,
      product.description,
      product.category,
      product.priceAmount,
      product.priceCurrency,
      product.status,
      product.version,
      product.updatedAt,
    ],
  )
  return updated.length > 0
}

/** The products with these ids, archived ones too. */
export async function findProducts(tx: Tx, ids: string[]): Promise<Map<string, Listing>> {
  const rows = await tx.query<ProductRow>(
    `select ${COLUMNS}, 0 as rank from products join stock on product_id = id where id = any($1)`,
    [ids],
  )
  return new Map(rows.map((row) => [row.id, toListing(row)]))
}

export type Sort = 'relevance' | 'newest' | 'name' | 'price' | '-price'

type SortPlan = {
  /** The column that sorts, with `position` behind it (descending) where it isn't unique. */
  by: string
  direction: 'asc' | 'desc'
  valueOf: (listing: Listing) => string | number
  type: 'number' | 'string'
}

// Relevance is cut to a whole number, so that a cursor can hold it exactly.
const RANK = `(ts_rank(search, query) * 1000000)::bigint`

export const SORTS: Record<Sort, SortPlan> = {
  relevance: { by: RANK, direction: 'desc', valueOf: ({ rank }) => rank, type: 'number' },
  newest: { by: 'position', direction: 'desc', valueOf: (of) => of.position, type: 'number' },
  name: { by: 'name', direction: 'asc', valueOf: (of) => of.product.name, type: 'string' },
  price: {
    by: 'price_amount',
    direction: 'asc',
    valueOf: (of) => of.product.priceAmount,
    type: 'number',
  },
  '-price': {
    by: 'price_amount',
    direction: 'desc',
    valueOf: (of) => of.product.priceAmount,
    type: 'number',
  },
}

export type Search = {
  /** A tsquery in text, or undefined for the whole catalog. */
  query: string | undefined
  category: string | undefined
  /** Amounts, both ends included. */
  minPrice?: number | undefined
  maxPrice?: number | undefined
  /** Only what has a unit left. */
  inStock?: boolean
  sort: Sort
  /** Sort value and id of the last product of the page before. */
  after: [string | number, string] | undefined
  limit: number
}

/**
 * Active products, sorted, from after the cursor. The page is found among products alone; only then is
 * what is left of each looked up.
 */
export async function searchProducts(tx: Tx, search: Search): Promise<Listing[]> {
  const { by, direction } = SORTS[search.sort]
  const values: unknown[] = [search.limit]
  const parameter = (value: unknown) => `$${values.push(value)}`
  const conditions = [`status = 'active'`]
  const where = (condition: string, value: unknown) => {
    if (value !== undefined) conditions.push(`${condition} ${parameter(value)}`)
  }
  let from = 'products'
  if (search.query !== undefined) {
    from += ` cross join to_tsquery('simple', ${parameter(search.query)}) as query`
    conditions.push('search @@ query')
  }
  where('category =', search.category)
  where('price_amount >=', search.minPrice)
  where('price_amount <=', search.maxPrice)
  if (search.inStock === true) conditions.push(IN_STOCK)
  if (search.after !== undefined) {
    const [value, id] = search.after
    const beyond = direction === 'asc' ? '>' : '<'
    conditions.push(`(${by}, id) ${beyond} (${parameter(value)}, ${parameter(id)})`)
  }
  const rows = await tx.query<ProductRow>(
    `select ${COLUMNS}, rank from (
       select products.*, ${search.query === undefined ? '0' : RANK} as rank from ${from}
       where ${conditions.join(' and ')} order by ${by} ${direction}, id ${direction} limit $1
     ) as products cross join lateral (${LEFT_OF_IT}) as stock
     order by ${by === RANK ? 'rank' : by} ${direction}, id ${direction}`,
    values,
  )
  return rows.map(toListing)
}

// With `offset 0` it is looked up for each product of the page; a plan that does not know how long the
// page is would join all of the stock.
const LEFT_OF_IT = 'select stocked, reserved from stock where product_id = products.id offset 0'
const IN_STOCK = 'exists (select from stock where product_id = id and stocked > reserved)'

/** All categories of active products, by name. */
export async function countCategories(tx: Tx): Promise<{ category: string; count: number }[]> {
  return tx.query(
    `select category, count(*) from products where status = 'active' group by category order by category`,
  )
}
