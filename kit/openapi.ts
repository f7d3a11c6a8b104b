/** Owns the parts that every contract's routes are made of. */
import { z } from '@hono/zod-openapi'
import { problemSchema } from './schema.ts'

/** A JSON response of this shape. */
export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

/** A problem (RFC 9457); the description names its codes. */
export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
})

/** A JSON body of this shape, without which there is no request. */
export const body = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { 'application/json': { schema } },
})

/** The path parameter `id`; whatever it says, an unknown one is a 404. */
export const idInPath = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' } }),
})

/**
 * A header, for documents alone: whoever reads it checks it. Declared as a schema it would have every
 * request's headers copied three times.
 */
export const header = (name: string, description: string) => ({
  name,
  in: 'header' as const,
  description,
  schema: { type: 'string' as const },
})

/** The header of a request that takes effect once, however often it is sent. */
export const keyHeader = header(
  'Idempotency-Key',
  'Repeat the request with the same key as often as needed: it takes effect once.',
)

/** A route that wants a bearer token. */
export const security = [{ bearer: [] }]
