/** Owns what others may know of products: its routes, resources and commands, as schemas. */
import { createRoute, z } from '@hono/zod-openapi'
import {
  currency,
  id,
  MAX_AMOUNT,
  page,
  pageQuery,
  problemSchema,
  text,
  timestamp,
} from '@quartet/kit/schema'

/** Units of one product, at most: in stock, on a line, in an adjustment. */
export const MAX_QUANTITY = 1_000_000_000
/** Units on one line of an order, at most. */
export const MAX_LINE_QUANTITY = 1_000_000
/** Lines an order and orders a command, at most. */
export const MAX_LINES = 100
export const MAX_ITEMS = 1_000

const priceFields = { amount: z.int().min(0).max(MAX_AMOUNT), currency: currency() }
const price = z.strictObject(priceFields)

const editable = {
  name: text(200),
  description: text(10_000, 0),
  category: text(100),
  price,
}

export const createProductSchema = z
  .strictObject({
    id: id().optional(),
    ...editable,
    description: editable.description.default(''),
    stock: z.int().min(0).max(MAX_QUANTITY).default(0),
  })
  .openapi('CreateProduct')

export type CreateProductBody = z.output<typeof createProductSchema>

export const updateProductSchema = z.strictObject(editable).partial().openapi('UpdateProduct')
export type UpdateProductBody = z.output<typeof updateProductSchema>

export const adjustStockSchema = z
  .strictObject({
    quantity: z
      .int()
      .min(-MAX_QUANTITY)
      .max(MAX_QUANTITY)
      .refine((quantity) => quantity !== 0, 'must not be 0'),
    note: text(500).optional(),
  })
  .openapi('AdjustStock')

export const productSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string(),
    category: z.string(),
    price: z.object({ amount: z.int(), currency: z.string() }),
    status: z.enum(['active', 'archived']),
    available_quantity: z.int(),
    created_at: timestamp(),
    updated_at: timestamp(),
  })
  .openapi('Product')

export type ProductResource = z.input<typeof productSchema>

export const MOVEMENT_KINDS = [
  'Allocation',
  'Sale',
  'Release',
  'Cancellation',
  'Adjustment',
] as const

export const movementSchema = z
  .object({
    id: z.string(),
    product_id: z.string(),
    kind: z.enum(MOVEMENT_KINDS),
    stocked_delta: z.int(),
    reserved_delta: z.int(),
    order_id: z.string().nullable(),
    note: z.string().nullable(),
    created_at: timestamp(),
  })
  .openapi('StockMovement')

export type MovementResource = z.input<typeof movementSchema>

const levels = {
  product_id: z.string(),
  stocked_quantity: z.int(),
  reserved_quantity: z.int(),
  available_quantity: z.int(),
}

export const stockSchema = z
  .object({ ...levels, data: z.array(movementSchema), next_cursor: z.string().nullable() })
  .openapi('Stock')

export const adjustmentSchema = z
  .object({ ...levels, movement: movementSchema })
  .openapi('StockAdjustment')

/** A reserve command for one order: all lines or none. Fingerprint: owner and lines. */
export const reserveItemSchema = z.object({
  order_id: id(),
  owner_id: id(),
  lines: z
    .array(z.object({ product_id: id(), quantity: z.int().min(1).max(MAX_LINE_QUANTITY) }))
    .min(1)
    .max(MAX_LINES),
})
export type ReserveItem = z.output<typeof reserveItemSchema>

export const releaseItemSchema = z.object({ order_id: id(), owner_id: id() })
export type ReleaseItem = z.output<typeof releaseItemSchema>

/** Quoted with the reservation: an order costs what products says when it reserves. */
const quotedLine = z.object({
  product_id: z.string(),
  quantity: z.int(),
  name: z.string(),
  unit_price: z.object({ amount: z.int(), currency: z.string() }),
})
export type QuotedLine = z.output<typeof quotedLine>

/**
 * `insufficient_stock` and `product_unavailable` are refusals and recorded as such. `released`: the
 * order was undone, or undone before it came. `conflict`: the id stands for other lines or another
 * owner. `processing`: not finished within the budget, ask again. `invalid`: the item can't be read.
 */
export const reserveOutcomeSchema = z
  .discriminatedUnion('outcome', [
    z.object({ order_id: z.string(), outcome: z.literal('reserved'), lines: z.array(quotedLine) }),
    z.object({
      order_id: z.string(),
      outcome: z.enum(['insufficient_stock', 'product_unavailable']),
      product_ids: z.array(z.string()),
    }),
    z.object({
      order_id: z.string(),
      outcome: z.enum(['released', 'conflict', 'processing', 'invalid']),
    }),
  ])
  .openapi('ReserveOutcome')
export type ReserveOutcome = z.output<typeof reserveOutcomeSchema>

export const releaseOutcomeSchema = z
  .object({
    order_id: z.string(),
    outcome: z.enum(['released', 'conflict', 'processing', 'invalid']),
  })
  .openapi('ReleaseOutcome')
export type ReleaseOutcome = z.output<typeof releaseOutcomeSchema>

// The envelope alone: items are validated apart, so that a bad one never fails its neighbours.
const commandBody = z
  .strictObject({ items: z.array(z.unknown()).min(1).max(MAX_ITEMS) })
  .openapi('Command')

const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})
const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
})
const body = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { 'application/json': { schema } },
})

const productId = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) })
const ifMatch = z.object({
  'if-match': z
    .string()
    .optional()
    .openapi({ description: 'The ETag that the change is meant for.' }),
})
const security = [{ bearer: [] }]
const tags = ['products']
const commands = ['commands']
const notThere = problem('Product not found')

export const routes = {
  create: createRoute({
    method: 'post',
    path: '/products',
    tags,
    security,
    summary: 'Create a product with its first stock (admin)',
    request: { body: body(createProductSchema) },
    responses: { 201: json(productSchema, 'Created'), 409: problem('`id_taken`') },
  }),
  read: createRoute({
    method: 'get',
    path: '/products/{id}',
    tags,
    summary: 'Read a product',
    request: { params: productId },
    responses: { 200: json(productSchema, 'The product, with its ETag'), 404: notThere },
  }),
  update: createRoute({
    method: 'put',
    path: '/products/{id}',
    tags,
    security,
    summary: 'Change name, description, category or price (admin)',
    request: { params: productId, headers: ifMatch, body: body(updateProductSchema) },
    responses: {
      200: json(productSchema, 'Changed'),
      404: notThere,
      412: problem('Changed in the meantime'),
    },
  }),
  archive: createRoute({
    method: 'delete',
    path: '/products/{id}',
    tags,
    security,
    summary: 'Archive a product: it is sold no more, its past stays (admin)',
    request: { params: productId, headers: ifMatch },
    responses: {
      200: json(z.object({ message: z.string(), id: z.string() }), 'Archived'),
      404: notThere,
      412: problem('Changed in the meantime'),
    },
  }),
  list: createRoute({
    method: 'get',
    path: '/products',
    tags,
    summary: 'List and search the catalog',
    request: {
      query: z.object({
        ...pageQuery,
        q: text(200)
          .optional()
          .openapi({ description: 'Words to find; the last may be a beginning.' }),
        category: text(100).optional(),
        sort: z.enum(['relevance', 'newest', 'name', 'price', '-price']).optional(),
      }),
    },
    responses: { 200: json(page(productSchema), 'A page of products') },
  }),
  categories: createRoute({
    method: 'get',
    path: '/categories',
    tags,
    summary: 'List the categories and how many products each has',
    responses: {
      200: json(
        z.object({ data: z.array(z.object({ category: z.string(), count: z.int() })) }),
        'All categories, by name',
      ),
    },
  }),
  readStock: createRoute({
    method: 'get',
    path: '/products/{id}/stock',
    tags,
    security,
    summary: 'Read stock levels and movements, newest first (admin)',
    request: { params: productId, query: z.object(pageQuery) },
    responses: { 200: json(stockSchema, 'Levels and a page of movements'), 404: notThere },
  }),
  adjustStock: createRoute({
    method: 'post',
    path: '/products/{id}/stock',
    tags,
    security,
    summary: 'Add to or take from the stock (admin)',
    request: { params: productId, body: body(adjustStockSchema) },
    responses: {
      201: json(adjustmentSchema, 'The movement and the new levels'),
      404: notThere,
      409: problem('`insufficient_stock`: less than that is available'),
    },
  }),
  reserve: createRoute({
    method: 'post',
    path: '/commands/reserve',
    tags: commands,
    security,
    summary: 'Reserve stock for orders (service `orders`, scope `reserve`)',
    request: { body: body(commandBody) },
    responses: {
      200: json(z.object({ outcomes: z.array(reserveOutcomeSchema) }), 'One outcome per item'),
    },
  }),
  release: createRoute({
    method: 'post',
    path: '/commands/release',
    tags: commands,
    security,
    summary: 'Undo the reservations of orders (service `orders`, scope `release`)',
    request: { body: body(commandBody) },
    responses: {
      200: json(z.object({ outcomes: z.array(releaseOutcomeSchema) }), 'One outcome per item'),
    },
  }),
} as const
