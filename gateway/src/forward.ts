/** Owns handing a request on to a service and its answer back: the request whole, the answer as a stream. */
import { Problem } from '@quartet/kit/problem'
import { withTimeout } from '@quartet/kit/timeout'
import type { Ids } from '@quartet/kit/ids'
import type { World } from '@quartet/kit/world'
import { responseHeaders } from './headers.ts'
import type { Retrier } from './retry.ts'
import type { Target } from './route-table.ts'

type ForwardWorld = Pick<World<unknown>, 'fetch' | 'timers'> & { ids: Ids; retrier: Retrier }

/** Until the head of the answer; its body may take as long as it comes. */
export const ANSWER_TIMEOUT_MS = 30_000
/** Milliseconds that whoever asks still waits: relative, as gRPC's, since clocks differ. */
const TIMEOUT_HEADER = 'x-request-timeout-ms'

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** Creations that keep a key. A log-in saves no answer (RULES.md, 17), so it has none. */
const KEYED = new Set(['users', 'products', 'orders', 'payments'])
const KEY = 'idempotency-key'

/** The answer of a service; a 503 problem that names it when it gives none. */
export async function forward(
  world: ForwardWorld,
  { service, step, url }: Target,
  request: Request,
  headers: Headers,
): Promise<Response> {
  // Kept, so that it can be sent again; its size is limited before.
  const body = request.body === null ? null : await request.arrayBuffer()
  // The client need not know of a key that only makes our own second try safe.
  if (request.method === 'POST' && KEYED.has(step) && !headers.has(KEY)) {
    headers.set(KEY, world.ids.next('gateway'))
  }
  const timeoutMs = timeoutOf(request)
  headers.set(TIMEOUT_HEADER, String(timeoutMs))
  const response = await world.retrier.run({
    service,
    isRepeatable: IDEMPOTENT.has(request.method) || headers.has(KEY),
    isAbandoned: () => request.signal.aborted,
    send: () =>
      withTimeout(world.timers, timeoutMs, (late) =>
        world.fetch(url, {
          method: request.method,
          headers,
          body,
          signal: AbortSignal.any([request.signal, late]),
          redirect: 'manual',
        }),
      ),
  })
  const { status, statusText } = response
  return new Response(response.body, { status, statusText, headers: responseHeaders(response) })
}

// A client may be in more of a hurry than we are, never in less.
function timeoutOf(request: Request): number {
  const said = request.headers.get(TIMEOUT_HEADER)
  if (said === null) return ANSWER_TIMEOUT_MS
  if (!/^\d{1,9}$/.test(said) || Number(said) === 0) {
    throw new Problem('invalid', 'Invalid request', {
      detail: `${TIMEOUT_HEADER} is a number of milliseconds.`,
    })
  }
  return Math.min(Number(said), ANSWER_TIMEOUT_MS)
}
