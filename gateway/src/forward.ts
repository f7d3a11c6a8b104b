/** Owns handing a request on to a service and its answer back, both as streams. */
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import type { Target } from './route-table.ts'

type ForwardWorld = Pick<World<unknown>, 'fetch' | 'timers' | 'log'>

/** Until the head of the answer; its body may take as long as it comes. */
export const ANSWER_TIMEOUT_MS = 30_000

// They belong to one connection (RFC 9110, 7.6.1). A list, because what a client names in
// `Connection` must not remove what the gateway adds.
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
// Said by the gateway alone, or settled between it and the client.
const NOT_FORWARDED = [...HOP_BY_HOP, 'host', 'expect', 'forwarded', 'x-real-ip']

/** The answer of a service; a 503 problem that names it when it gives none. */
export async function forward(
  world: ForwardWorld,
  { service, url }: Target,
  request: Request,
  clientAddress: string | undefined,
): Promise<Response> {
  const tooLate = new AbortController()
  const cancel = world.timers.after(ANSWER_TIMEOUT_MS, () => tooLate.abort())
  try {
    const response = await world.fetch(url, {
      method: request.method,
      headers: requestHeaders(request, clientAddress),
      signal: AbortSignal.any([request.signal, tooLate.signal]),
      redirect: 'manual',
      ...(request.body === null ? {} : { body: request.body, duplex: 'half' }),
    })
    const { status, statusText, body } = response
    return new Response(body, { status, statusText, headers: responseHeaders(response) })
  } catch (error) {
    if (request.signal.aborted) throw clientGone()
    world.log.warn(
      { error, peer: service, timedOut: tooLate.signal.aborted },
      'a service did not answer',
    )
    throw tooLate.signal.aborted ? timedOut(service) : unavailable(service)
  } finally {
    cancel()
  }
}

function requestHeaders(request: Request, clientAddress: string | undefined): Headers {
  const headers = new Headers(request.headers)
  for (const name of NOT_FORWARDED) headers.delete(name)
  const { protocol, host } = new URL(request.url)
  // Set, not appended to: what a client says of itself proves nothing.
  headers.set('x-forwarded-for', clientAddress ?? 'unknown')
  headers.set('x-forwarded-host', host)
  headers.set('x-forwarded-proto', protocol.replace(':', ''))
  headers.set('accept-encoding', 'identity')
  return headers
}

function responseHeaders(response: Response): Headers {
  const headers = new Headers(response.headers)
  for (const name of HOP_BY_HOP) headers.delete(name)
  const location = headers.get('location')
  if (location?.startsWith('/') === true) headers.set('location', `/api${location}`)
  return headers
}

const unavailable = (service: string) =>
  new Problem('unavailable', `The ${service} service is not available`, {
    code: 'service_unavailable',
    detail: 'It does not answer. Repeat the request in a moment, with the same Idempotency-Key.',
    members: { service },
    retryAfterS: 1,
  })

const timedOut = (service: string) =>
  new Problem('unavailable', `The ${service} service did not answer in time`, {
    code: 'service_timeout',
    detail: 'What became of the request is not known. Repeat it with the same Idempotency-Key.',
    members: { service },
    retryAfterS: 5,
  })

// Nobody is there to read it.
const clientGone = () => new Problem('invalid', 'The client went away')
