/** Owns the shapes of products' resources and commands. */
import { z } from '@hono/zod-openapi'
import { currency, id, MAX_AMOUNT, text, timestamp } from '@quartet/kit/schema'

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
