/** Owns what the gateway itself refuses, as it is told. */
import { Problem, problemResponse } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import { getPath } from 'hono/utils/url'
import type { RequestNames } from './headers.ts'

/** The answer of a request that failed; what nobody expected is logged, and not told. */
export function explain(
  { log }: Pick<World<unknown>, 'log'>,
  error: unknown,
  request: Request,
  { requestId }: RequestNames,
): Response {
  const path = getPath(request)
  if (error instanceof Problem) return problemResponse(error, path)
  log.error({ error, method: request.method, requestId }, 'a request failed unexpectedly')
  return problemResponse(new Problem('internal', 'Internal error'), path)
}

export const notFound = () =>
  new Problem('not_found', 'Not found', {
    detail: 'GET / as application/json lists what is where.',
    // What one replica does not have, the next may: caches keep a 404 that says nothing of itself.
    headers: { 'cache-control': 'no-store' },
  })
