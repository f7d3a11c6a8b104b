/** Owns comparing levels of stock with why they are so: movements, and the reservations that are open. */
import { createWholeCheck } from '../check.ts'

type Row = {
  id: string
  stocked: string
  moved_stocked: string
  reserved: string
  moved_reserved: string
  held: string
}
type Name = 'stocked_not_moved' | 'reserved_not_moved' | 'reserved_not_held'

const BY_HAND =
  'Both are written in one transaction, so something else wrote to the products database. Count the shelf; correct the level there in SQL, and see who has its password.'

/** Stock, movements and reservations. */
export const stockMovements = createWholeCheck<Name>({
  book: 'stock, movements',
  noun: 'products',
  kinds: {
    stocked_not_moved: {
      says: 'What is stocked of a product is not the sum of its movements.',
      byHand: BY_HAND,
    },
    reserved_not_moved: {
      says: 'What is reserved of a product is not the sum of its movements.',
      byHand: BY_HAND,
    },
    reserved_not_held: {
      says: 'What is reserved of a product is not what its open reservations hold.',
      byHand: BY_HAND,
    },
  },
  async count({ databases }) {
    const [row] = await databases.products.whole<{ count: number }>('select count(*) from stock')
    return row?.count ?? 0
  },
  async find({ databases }, limit) {
    const rows = await databases.products.whole<Row>(DIFFERING, [limit])
    return rows.flatMap(judge)
  },
})

const DIFFERING = `
  with moved as (
    select product_id, sum(stocked_delta) as stocked, sum(reserved_delta) as reserved
    from movements group by product_id
  ), held as (
    select line->>'product_id' as product_id, sum((line->>'quantity')::bigint) as reserved
    from reservations, jsonb_array_elements(answer->'lines') as line
    where state = 'reserved' group by 1
  ), levels as (
    select product_id as id, coalesce(stock.stocked, 0) as stocked,
      coalesce(moved.stocked, 0) as moved_stocked, coalesce(stock.reserved, 0) as reserved,
      coalesce(moved.reserved, 0) as moved_reserved, coalesce(held.reserved, 0) as held
    from stock full join moved using (product_id) full join held using (product_id)
  )
  select id, stocked::text, moved_stocked::text, reserved::text, moved_reserved::text, held::text
  from levels where stocked <> moved_stocked or reserved <> moved_reserved or reserved <> held
  order by id limit $1`

function judge({ id, stocked, moved_stocked, reserved, moved_reserved, held }: Row) {
  const compare = (kind: Name, level: string, why: string, other: string) =>
    level === why ? [] : [{ kind, id, detail: `stock: ${level}; ${other}: ${why}` }]
  return [
    ...compare('stocked_not_moved', stocked, moved_stocked, 'movements'),
    ...compare('reserved_not_moved', reserved, moved_reserved, 'movements'),
    ...compare('reserved_not_held', reserved, held, 'reservations'),
  ]
}
