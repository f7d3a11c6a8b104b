/** Owns the verbs of the catalog and of the stock of one product: each in one transaction with its events. */
import { appendEvents } from '@quartet/kit/events'
import type { World } from '@quartet/kit/world'
import type { UpdateProductBody } from './contract/schemas.ts'
import { availableOf, depletedBy, type Level, type Movement, type Product } from './domain.ts'
import { productChanged, stockDepleted } from './events.ts'
import { findProducts, insertProduct, updateProduct, type Listing } from './store/catalog.ts'
import {
  changeLevels,
  findMovement,
  lockLevels,
  recordMovements,
  type MovementRow,
} from './store.ts'

export type Dependencies = Pick<World<unknown>, 'db' | 'clock' | 'ids'>

const adjustment = (productId: string, quantity: number, note: string | null): Movement => ({
  productId,
  kind: 'Adjustment',
  stockedDelta: quantity,
  reservedDelta: 0,
  orderId: null,
  note,
})

export type CreateOutcome = { kind: 'created' | 'exists'; listing: Listing } | { kind: 'id_taken' }

/** Creates a product with its first stock. `exists`: the same product is there already, with this content. */
export async function createProduct(
  world: Dependencies,
  product: Product,
  stock: number,
): Promise<CreateOutcome> {
  return world.db.transaction(async (tx) => {
    const isNew = await insertProduct(tx, product, 0)
    if (isNew) {
      const first = { ...adjustment(product.id, stock, 'First stock'), id: world.ids.next('mov') }
      if (stock > 0) {
        recordMovements(tx, [first], product.createdAt)
        changeLevels(tx, [first])
      }
      appendEvents(tx, world, [productChanged('created', product)])
    }
    const listing = (await findProducts(tx, [product.id])).get(product.id)
    if (listing === undefined || !(isNew || isSame(listing.product, product))) {
      return { kind: 'id_taken' }
    }
    return { kind: isNew ? 'created' : 'exists', listing }
  })
}

// Content, not times: who repeats a creation after its first answer was lost sends the same again.
const isSame = (a: Product, b: Product): boolean =>
  a.name === b.name &&
  a.description === b.description &&
  a.category === b.category &&
  a.priceAmount === b.priceAmount &&
  a.priceCurrency === b.priceCurrency &&
  a.version === 1

export type ChangeOutcome =
  | { kind: 'changed'; listing: Listing }
  | { kind: 'not_found' }
  /** The product is at another version than the caller means. */
  | { kind: 'stale'; version: number }

/** Changes fields of an active product, whatever its version, or only at `ifVersion`. */
export function changeProduct(
  world: Dependencies,
  id: string,
  changes: UpdateProductBody,
  ifVersion: (version: number) => boolean,
): Promise<ChangeOutcome> {
  return rewrite(world, id, 'updated', ifVersion, (product) => ({
    ...product,
    name: changes.name ?? product.name,
    description: changes.description ?? product.description,
    category: changes.category ?? product.category,
    priceAmount: changes.price?.amount ?? product.priceAmount,
    priceCurrency: changes.price?.currency ?? product.priceCurrency,
  }))
}

/** Archives an active product: it is sold no more and can't be found any more. */
export function archiveProduct(
  world: Dependencies,
  id: string,
  ifVersion: (version: number) => boolean,
): Promise<ChangeOutcome> {
  return rewrite(world, id, 'archived', ifVersion, (product) => ({
    ...product,
    status: 'archived',
  }))
}

// Somebody else may write between our reading and our writing: then it is read again.
async function rewrite(
  world: Dependencies,
  id: string,
  change: 'updated' | 'archived',
  ifVersion: (version: number) => boolean,
  edit: (product: Product) => Product,
): Promise<ChangeOutcome> {
  for (;;) {
    const outcome = await world.db.transaction<ChangeOutcome | undefined>(async (tx) => {
      const listing = (await findProducts(tx, [id])).get(id)
      if (listing === undefined || listing.product.status === 'archived') {
        return { kind: 'not_found' }
      }
      const { version } = listing.product
      if (!ifVersion(version)) return { kind: 'stale', version }
      const updatedAt = new Date(world.clock.now())
      const product = { ...edit(listing.product), version: version + 1, updatedAt }
      if (!(await updateProduct(tx, product))) return undefined
      appendEvents(tx, world, [productChanged(change, product)])
      return { kind: 'changed', listing: { ...listing, product } }
    })
    if (outcome !== undefined) return outcome
  }
}

export type AdjustOutcome =
  | { kind: 'adjusted'; movement: MovementRow; level: Level }
  | { kind: 'not_found' }
  | { kind: 'insufficient_stock'; available: number }

/** Adds to or takes from what is stocked; never below what is reserved. The same `id` moves once. */
export async function adjustStock(
  world: Dependencies,
  adjust: { id: string; productId: string; quantity: number; note: string | null },
): Promise<AdjustOutcome> {
  const { id, productId, quantity, note } = adjust
  return world.db.transaction(async (tx) => {
    const level = (await lockLevels(tx, [productId])).get(productId)
    if (level === undefined) return { kind: 'not_found' }
    const made = await findMovement(tx, id)
    if (made !== undefined) return { kind: 'adjusted', movement: made, level }
    const available = availableOf(level)
    if (available + quantity < 0) return { kind: 'insufficient_stock', available }
    const movement = { ...adjustment(productId, quantity, note), id }
    recordMovements(tx, [movement], new Date(world.clock.now()))
    changeLevels(tx, [movement])
    const depleted = depletedBy([movement], new Map([[productId, level]]))
    appendEvents(tx, world, depleted.map(stockDepleted))
    const row = await findMovement(tx, id)
    if (row === undefined) throw new Error(`movement ${id} was not written`)
    return {
      kind: 'adjusted',
      movement: row,
      level: { ...level, stocked: level.stocked + quantity },
    }
  })
}
