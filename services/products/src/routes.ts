/** Owns the HTTP of products: request → action → response. */
import type { Authenticator } from '@quartet/kit/auth'
import { decodeCursor, toPage } from '@quartet/kit/cursor'
import type { Sequencer } from '@quartet/kit/events'
import { checkIfMatch, notFound, type Http } from '@quartet/kit/http'
import { idempotent, newId } from '@quartet/kit/idempotency'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import {
  adjustStock,
  archiveProduct,
  changeProduct,
  createProduct,
  type ChangeOutcome,
} from './actions.ts'
import type { Desk } from './commands/desk.ts'
import type { Config } from './config.ts'
import { routes } from './contract.ts'
import type { CreateProductBody, MovementResource, ProductResource } from './contract/schemas.ts'
import { availableOf, type Level, type Product } from './domain.ts'
import { toTextQuery } from './search.ts'
import { countCategories, searchProducts, SORTS, type Listing } from './store/catalog.ts'
import type { Shelf } from './shelf.ts'
import { listMovements, readLevel, type MovementRow } from './store.ts'

type Dependencies = {
  world: World<Config>
  authenticator: Authenticator
  sequencer: Sequencer
  desk: Desk
  shelf: Shelf
}

export function addRoutes(http: Http, dependencies: Dependencies): void {
  const { world, authenticator } = dependencies
  const keyed = idempotent(world, async (c) => {
    const { userId } = await authenticator.admin(c.req.raw)
    return { subject: userId }
  })
  http.use('/products', onPost(keyed))
  http.use('/products/:id/stock', onPost(keyed))
  addCatalog(http, dependencies)
  addEditing(http, dependencies)
  addStock(http, dependencies)
  addCommands(http, dependencies)
}

type Middleware = ReturnType<typeof idempotent>
const onPost =
  (middleware: Middleware): Middleware =>
  (c, next) =>
    c.req.method === 'POST' ? middleware(c, next) : next()

const etagOf = ({ version }: Product) => `"${version}"`

function toResource({ product, available }: Listing): ProductResource {
  return {
    id: product.id,
    name: product.name,
    description: product.description,
    category: product.category,
    price: { amount: product.priceAmount, currency: product.priceCurrency },
    status: product.status,
    available_quantity: available,
    created_at: product.createdAt.toISOString(),
    updated_at: product.updatedAt.toISOString(),
  }
}

/**
 * What everybody may see: whoever keeps it asks again each time, and may show it for a day while nobody
 * answers (RFC 9111, 5.2.2.9; RFC 5861, 4). An answer with a token is kept by nobody without this.
 */
const FOR_EVERYBODY = { 'cache-control': 'public, max-age=0, stale-if-error=86400' }

const isId = (id: string) => /^[A-Za-z0-9_-]{1,64}$/.test(id)

function addCatalog(http: Http, { world, authenticator, shelf }: Dependencies): void {
  http.openapi(routes.read, async (c) => {
    const { id } = c.req.valid('param')
    const listing = isId(id) ? await shelf.read(id) : undefined
    if (listing === undefined) throw notFound('Product')
    if (listing.product.status === 'archived') {
      // Who may see what is no longer sold: nobody but an admin.
      const principal = await authenticator.optionalUser(c.req.raw)
      if (principal?.role !== 'admin') throw notFound('Product')
    }
    const [resource, etag] = [toResource(listing), etagOf(listing.product)]
    if (listing.product.status !== 'active') return c.json(resource, 200, { etag })
    const headers = { 'content-type': 'application/json', etag, ...FOR_EVERYBODY }
    shelf.keep(id, { body: JSON.stringify(resource), headers })
    return c.json(resource, 200, { etag, ...FOR_EVERYBODY })
  })

  http.openapi(routes.list, async (c) => {
    const { q, category, limit, cursor, sort: asked, ...filters } = c.req.valid('query')
    const query = q === undefined ? undefined : toTextQuery(q)
    const sort = asked === 'relevance' && query === undefined ? 'newest' : asked
    const sortBy = sort ?? (query === undefined ? 'newest' : 'relevance')
    const { valueOf, type } = SORTS[sortBy]
    const after = cursor === undefined ? undefined : decodeCursor(cursor, type, 'string')
    const { min_price: minPrice, max_price: maxPrice } = filters
    const price = { minPrice, maxPrice, inStock: filters.in_stock === 'true' }
    const search = { query, category, ...price, sort: sortBy, after, limit: limit + 1 }
    const listings = query === '' ? [] : await searchProducts(world.db, search)
    const page = toPage(listings, limit, toResource, (of) => [valueOf(of), of.product.id])
    return c.json(page, 200, FOR_EVERYBODY)
  })

  http.openapi(routes.categories, async (c) => {
    return c.json({ data: await countCategories(world.db) }, 200, FOR_EVERYBODY)
  })
}

function addEditing(http: Http, { world, authenticator, sequencer, shelf }: Dependencies): void {
  http.openapi(routes.create, async (c) => {
    await authenticator.admin(c.req.raw)
    const body = c.req.valid('json')
    const product = toProduct(body, body.id ?? newId(world, c, 'prd'), world.clock.now())
    const outcome = await createProduct(world, product, body.stock)
    sequencer.ring()
    // What is there already is ours only when a key says that we may have asked before.
    const isMine = outcome.kind === 'created' || c.get('idempotencyScope') !== undefined
    if (outcome.kind === 'id_taken' || !isMine) throw idTaken
    c.header('etag', etagOf(outcome.listing.product))
    c.header('location', `/products/${product.id}`)
    return c.json(toResource(outcome.listing), 201)
  })

  http.openapi(routes.update, async (c) => {
    await authenticator.admin(c.req.raw)
    const { id } = c.req.valid('param')
    if (!isId(id)) throw notFound('Product')
    const outcome = await changeProduct(world, id, c.req.valid('json'), matches(c.req.raw))
    shelf.forget([id])
    sequencer.ring()
    const listing = changedOrThrow(c.req.raw, outcome)
    c.header('etag', etagOf(listing.product))
    return c.json(toResource(listing), 200)
  })

  http.openapi(routes.archive, async (c) => {
    await authenticator.admin(c.req.raw)
    const { id } = c.req.valid('param')
    if (!isId(id)) throw notFound('Product')
    const outcome = await archiveProduct(world, id, matches(c.req.raw))
    shelf.forget([id])
    sequencer.ring()
    changedOrThrow(c.req.raw, outcome)
    return c.json({ message: 'Product deleted', id }, 200)
  })
}

function toProduct(body: CreateProductBody, id: string, nowMs: number): Product {
  return {
    id,
    name: body.name,
    description: body.description,
    category: body.category,
    priceAmount: body.price.amount,
    priceCurrency: body.price.currency,
    status: 'active',
    version: 1,
    createdAt: new Date(nowMs),
    updatedAt: new Date(nowMs),
  }
}

const idTaken = new Problem('conflict', 'The id is taken', {
  code: 'id_taken',
  detail: 'A product with this id exists. Choose another id, or leave it out.',
  errors: [{ field: 'id', detail: 'is taken' }],
})

// The same check twice: as a condition of the write, and for the 412 that tells the current version.
function matches(request: Request): (version: number) => boolean {
  return (version) => {
    try {
      checkIfMatch(request, `"${version}"`)
      return true
    } catch {
      return false
    }
  }
}

function changedOrThrow(request: Request, outcome: ChangeOutcome): Listing {
  if (outcome.kind === 'not_found') throw notFound('Product')
  if (outcome.kind === 'changed') return outcome.listing
  checkIfMatch(request, `"${outcome.version}"`)
  throw new Error('a stale version matched')
}

function toMovement(row: MovementRow): MovementResource {
  const { position: _position, created_at, ...rest } = row
  return { ...rest, created_at: created_at.toISOString() }
}

const toLevels = (product_id: string, level: Level) => ({
  product_id,
  stocked_quantity: level.stocked,
  reserved_quantity: level.reserved,
  available_quantity: availableOf(level),
})

function addStock(http: Http, { world, authenticator, sequencer, shelf }: Dependencies): void {
  http.openapi(routes.readStock, async (c) => {
    await authenticator.admin(c.req.raw)
    const { id } = c.req.valid('param')
    const { limit, cursor } = c.req.valid('query')
    const [before] = cursor === undefined ? [undefined] : decodeCursor(cursor, 'number')
    const level = isId(id) ? await readLevel(world.db, id) : undefined
    if (level === undefined) throw notFound('Product')
    const rows = await listMovements(world.db, id, { before, limit: limit + 1 })
    const page = toPage(rows, limit, toMovement, ({ position }) => [position])
    return c.json({ ...toLevels(id, level), ...page }, 200)
  })

  http.openapi(routes.adjustStock, async (c) => {
    await authenticator.admin(c.req.raw)
    const { id: productId } = c.req.valid('param')
    const { quantity, note = null } = c.req.valid('json')
    if (!isId(productId)) throw notFound('Product')
    const id = newId(world, c, 'mov')
    const outcome = await adjustStock(world, { id, productId, quantity, note })
    shelf.forget([productId])
    sequencer.ring()
    if (outcome.kind === 'not_found') throw notFound('Product')
    if (outcome.kind === 'insufficient_stock') {
      throw new Problem('conflict', 'Not enough stock', {
        code: 'insufficient_stock',
        detail: `Only ${outcome.available} are available; the rest is reserved for orders.`,
      })
    }
    const movement = toMovement(outcome.movement)
    return c.json({ ...toLevels(productId, outcome.level), movement }, 201)
  })
}

function addCommands(http: Http, { authenticator, desk }: Dependencies): void {
  http.openapi(routes.reserve, async (c) => {
    await authenticator.service(c.req.raw, 'reserve')
    const { items } = c.req.valid('json')
    return c.json({ outcomes: await desk.reserve(items, c.get('deadlineMs')) }, 200)
  })

  http.openapi(routes.release, async (c) => {
    await authenticator.service(c.req.raw, 'release')
    const { items } = c.req.valid('json')
    return c.json({ outcomes: await desk.release(items, c.get('deadlineMs')) }, 200)
  })
}
