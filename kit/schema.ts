/** Owns the schemas that every contract is made of: text PostgreSQL can hold, ids, money, time. */
import { z } from '@hono/zod-openapi'

// What PostgreSQL's text and jsonb can't hold is refused at the door (rule 16).
const storable = (value: string) => !value.includes('\0') && value.isWellFormed()

/** Text of `min` to `max` UTF-16 code units, without NUL and lone surrogates. */
export function text(max: number, min = 1) {
  return z
    .string()
    .min(min)
    .max(max)
    .refine(storable, 'must not contain NUL characters or lone surrogates')
}

/** An id: at most 64 of `A-Z a-z 0-9 _ -`. */
export const id = () =>
  z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 characters of A-Z a-z 0-9 _ -')

/** A point in time, ISO 8601 in UTC with milliseconds. */
export const timestamp = () => z.iso.datetime()

const CURRENCIES = new Set(Intl.supportedValuesOf('currency'))

/** A currency code of ISO 4217, in capitals. */
export const currency = () =>
  z
    .string()
    .refine((code) => CURRENCIES.has(code), 'must be an ISO 4217 currency code such as USD')
    .openapi({ example: 'USD' })

/** The largest amount: ten billion units of a currency with cents. Sums of many stay exact in a double. */
export const MAX_AMOUNT = 1_000_000_000_000

/** Money: `amount` in the currency's minor unit (cents), a whole number from `min` to 10^12. */
export const money = (min = 0) =>
  z.strictObject({ amount: z.int().min(min).max(MAX_AMOUNT), currency: currency() })

export type Money = { amount: number; currency: string }

/** A page of `item`s, newest first unless said otherwise; `next_cursor` is null on the last page. */
export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({ data: z.array(item), next_cursor: z.string().nullable() })

/** The query of a page: `limit` 1 to 100 (20 unless given) and the `cursor` of the page before. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().max(512).optional(),
}

/** RFC 9457, for the OpenAPI documents. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    instance: z.string(),
    code: z.string(),
    errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
    error: z.string(),
  })
  .openapi('Problem')
