/** Owns what others may know of products: its routes and commands, the only door for other services. */
import { createRoute, z } from '@hono/zod-openapi'
import { commandSchema } from '@quartet/kit/commands'
import { body, header, idInPath, json, keyHeader, problem, security } from '@quartet/kit/openapi'
import { MAX_AMOUNT, page, pageQuery, text } from '@quartet/kit/schema'
import {
  adjustmentSchema,
  adjustStockSchema,
  createProductSchema,
  MAX_ITEMS,
  productSchema,
  releaseOutcomeSchema,
  reserveOutcomeSchema,
  stockSchema,
  updateProductSchema,
} from './contract/schemas.ts'

const ifMatch = header('If-Match', 'The ETag that the change is meant for.')
const amountInQuery = (description: string) =>
  z
    .string()
    .regex(/^\d{1,13}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().max(MAX_AMOUNT))
    .optional()
    .openapi({ type: 'integer', minimum: 0, maximum: MAX_AMOUNT, description })

type PriceRange = { min_price?: number | undefined; max_price?: number | undefined }

const isRange = ({ min_price: min = 0, max_price: max = MAX_AMOUNT }: PriceRange) => min <= max

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
    parameters: [keyHeader],
    request: { body: body(createProductSchema) },
    responses: { 201: json(productSchema, 'Created'), 409: problem('`id_taken`') },
  }),
  read: createRoute({
    method: 'get',
    path: '/products/{id}',
    tags,
    summary: 'Read a product',
    request: { params: idInPath },
    responses: { 200: json(productSchema, 'The product, with its ETag'), 404: notThere },
  }),
  update: createRoute({
    method: 'put',
    path: '/products/{id}',
    tags,
    security,
    summary: 'Change name, description, category or price (admin)',
    parameters: [ifMatch],
    request: { params: idInPath, body: body(updateProductSchema) },
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
    parameters: [ifMatch],
    request: { params: idInPath },
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
      query: z
        .object({
          ...pageQuery,
          q: text(200)
            .optional()
            .openapi({ description: 'Words to find; the last may be a beginning.' }),
          category: text(100).optional(),
          min_price: amountInQuery('The least amount, in the currency’s minor unit.'),
          max_price: amountInQuery('The largest amount, in the currency’s minor unit.'),
          in_stock: z
            .enum(['true', 'false'])
            .optional()
            .openapi({ description: '`true`: only what can be ordered now.' }),
          sort: z.enum(['relevance', 'newest', 'name', 'price', '-price']).optional(),
        })
        .refine(isRange, { path: ['max_price'], message: 'must not be below min_price' }),
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
    request: { params: idInPath, query: z.object(pageQuery) },
    responses: { 200: json(stockSchema, 'Levels and a page of movements'), 404: notThere },
  }),
  adjustStock: createRoute({
    method: 'post',
    path: '/products/{id}/stock',
    tags,
    security,
    summary: 'Add to or take from the stock (admin)',
    parameters: [keyHeader],
    request: { params: idInPath, body: body(adjustStockSchema) },
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
    summary: 'Reserve stock for orders (service orders, scope reserve)',
    request: { body: body(commandSchema(MAX_ITEMS)) },
    responses: {
      200: json(z.object({ outcomes: z.array(reserveOutcomeSchema) }), 'One outcome per item'),
    },
  }),
  release: createRoute({
    method: 'post',
    path: '/commands/release',
    tags: commands,
    security,
    summary: 'Undo the reservations of orders (service orders, scope release)',
    request: { body: body(commandSchema(MAX_ITEMS)) },
    responses: {
      200: json(z.object({ outcomes: z.array(releaseOutcomeSchema) }), 'One outcome per item'),
    },
  }),
} as const
