/** Owns handing a request on to a service and its answer back: the request whole, the answer as it comes. */
import { Problem } from '@quartet/kit/problem'
import type { Ids } from '@quartet/kit/ids'
import type { Timers } from '@quartet/kit/time'
import type { World } from '@quartet/kit/world'
import { toAnswer, type Answer } from './answer.ts'
import { answerHeaders } from './headers.ts'
import type { Retrier } from './retry.ts'
import type { Target } from './route-table.ts'

type ForwardWorld = Pick<World<unknown>, 'fetch' | 'timers'> & { ids: Ids; retrier: Retrier }

/** A request as a service gets it. Its headers are added to. */
export type Outgoing = {
  method: string
  /** By name in lower case. */
  headers: Record<string, string>
  /** Kept, so that it can be sent again; its size is limited before. */
  body: string | ArrayBuffer | null
  /** Aborts when nobody waits for the answer any more. */
  gone: AbortSignal
  /** There is something to give instead: it is not waited for as long as else. */
  isReplaceable?: boolean
}

/** Until the head of the answer; its body may take as long as it comes. */
export const ANSWER_TIMEOUT_MS = 30_000
/** The same, and how long one that is refused is held, where there is something to give instead. */
const REPLACEABLE_TIMEOUT_MS = 2_000
const REPLACEABLE_HOLD_MS = 250
/** Milliseconds that whoever asks still waits: relative, as gRPC's, since clocks differ. */
const TIMEOUT_HEADER = 'x-request-timeout-ms'

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/**
 * Creations that keep a key. A log-in saves no answer (RULES.md, 17), so it has none; nor has a webhook,
 * which its sender sends again by itself.
 */
const KEYED = new Set(['users', 'products', 'orders', 'payments'])
const KEY = 'idempotency-key'

/** The answer of a service; a 503 problem that names it when it gives none. */
export async function forward(
  world: ForwardWorld,
  { service, step, url }: Target,
  { method, headers, body, gone, isReplaceable = false }: Outgoing,
): Promise<Answer> {
  // The client need not know of a key that only makes our own second try safe.
  if (method === 'POST' && KEYED.has(step)) headers[KEY] ??= world.ids.next('gateway')
  const longestMs = isReplaceable ? REPLACEABLE_TIMEOUT_MS : ANSWER_TIMEOUT_MS
  const timeoutMs = timeoutOf(headers[TIMEOUT_HEADER], longestMs)
  headers[TIMEOUT_HEADER] = String(timeoutMs)
  const response = await world.retrier.run({
    service,
    ...(isReplaceable ? { holdMs: REPLACEABLE_HOLD_MS } : {}),
    isRepeatable: IDEMPOTENT.has(method) || headers[KEY] !== undefined,
    isAbandoned: () => gone.aborted,
    send: () =>
      inTime(world.timers, timeoutMs, gone, (signal) =>
        world.fetch(url, { method, headers, body, signal, redirect: 'manual' }),
      ),
  })
  const answer = toAnswer(response)
  return { ...answer, headers: answerHeaders(answer.headers) }
}

// A client may be in more of a hurry than we are, never in less.
function timeoutOf(said: string | undefined, longestMs: number): number {
  if (said === undefined) return longestMs
  if (!/^\d{1,9}$/.test(said) || Number(said) === 0) {
    throw new Problem('invalid', 'Invalid request', {
      detail: `${TIMEOUT_HEADER} is a number of milliseconds.`,
    })
  }
  return Math.min(Number(said), longestMs)
}

/**
 * As kit's `withTimeout`, with a signal that aborts when the client is `gone` too, also while the answer
 * is streamed. (`AbortSignal.any` does it with weak references, which the collector pays for.)
 */
async function inTime<Result>(
  timers: Timers,
  timeoutMs: number,
  gone: AbortSignal,
  use: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController()
  const late = Promise.withResolvers<never>()
  const cancel = timers.after(timeoutMs, () => {
    const error = new Error(`no answer within ${timeoutMs} ms`)
    error.name = 'TimeoutError'
    late.reject(error)
    abort.abort(error)
  })
  if (gone.aborted) abort.abort(gone.reason)
  else gone.addEventListener('abort', () => abort.abort(gone.reason), { once: true })
  try {
    return await Promise.race([use(abort.signal), late.promise])
  } finally {
    cancel()
  }
}
