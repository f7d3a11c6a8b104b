/** Owns JSON answers with headers, made without what Hono's own `c.json` copies for each header. */
import type { TypedResponse } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { JSONParsed } from 'hono/utils/types'

/** As `c.json(body, status, headers)`. */
export function jsonAnswer<Body extends object, Status extends ContentfulStatusCode>(
  body: Body,
  status: Status,
  headers: Record<string, string>,
): Response & TypedResponse<JSONParsed<Body>, Status, 'json'> {
  const init = { status, headers: { 'content-type': 'application/json', ...headers } }
  const response: Response = new Response(JSON.stringify(body), init)
  return response as Response & TypedResponse<JSONParsed<Body>, Status, 'json'>
}
