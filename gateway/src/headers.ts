/** Owns what the gateway says of a request to services, and of an answer to clients. */
import type { Ids } from '@quartet/kit/ids'
import type { Random } from '@quartet/kit/random'

/** What identifies a request from here on: in logs, in traces, and to whoever asks for help. */
export type RequestNames = { requestId: string; traceparent: string }

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
// Said by the gateway alone, or settled between it and the client. Cookies are the browser's secret.
const NOT_FORWARDED = [...HOP_BY_HOP, 'host', 'expect', 'forwarded', 'x-real-ip', 'cookie']

const REQUEST_ID = /^[\w.:-]{8,128}$/
// W3C Trace Context, 3.2: version, trace id and parent id (not all zeros), flags.
const TRACEPARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-.*)?$/

/** The names that a request came with, where they are well-formed; else new ones. */
export function nameRequest(headers: Headers, { ids, random }: { ids: Ids; random: Random }) {
  const [requestId, traceparent] = [headers.get('x-request-id'), headers.get('traceparent')]
  const hex = (bytes: number) => Buffer.from(random.bytes(bytes)).toString('hex')
  return {
    requestId: requestId !== null && REQUEST_ID.test(requestId) ? requestId : ids.next('req'),
    traceparent:
      traceparent !== null && TRACEPARENT.test(traceparent)
        ? traceparent
        : `00-${hex(16)}-${hex(8)}-01`,
  } satisfies RequestNames
}

/** Headers of a request as a service gets it. */
export function requestHeaders(
  request: Request,
  { requestId, traceparent }: RequestNames,
  clientAddress: string,
): Headers {
  const headers = new Headers(request.headers)
  for (const name of NOT_FORWARDED) headers.delete(name)
  const { protocol, host } = new URL(request.url)
  // Set, not appended to: what a client says of itself proves nothing.
  headers.set('x-forwarded-for', clientAddress)
  headers.set('x-forwarded-host', host)
  headers.set('x-forwarded-proto', protocol.replace(':', ''))
  headers.set('accept-encoding', 'identity')
  headers.set('x-request-id', requestId)
  // A state without the trace that it belongs to means nothing.
  if (headers.get('traceparent') !== traceparent) headers.delete('tracestate')
  headers.set('traceparent', traceparent)
  return headers
}

/** Headers of a service's answer as clients get it. */
export function responseHeaders(response: Response): Headers {
  const headers = new Headers(response.headers)
  for (const name of HOP_BY_HOP) headers.delete(name)
  const location = headers.get('location')
  if (location?.startsWith('/') === true) headers.set('location', `/api${location}`)
  return headers
}

/**
 * Says to browsers that an answer is data: never a page, a script, a frame or another origin's
 * (OWASP REST Security Cheat Sheet). What was asked for by somebody is kept by nobody else.
 */
export function protect(
  headers: Headers,
  { isPersonal, isHttps }: { isPersonal: boolean; isHttps: boolean },
): void {
  headers.set('x-content-type-options', 'nosniff')
  headers.set('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  headers.set('referrer-policy', 'no-referrer')
  headers.set('cross-origin-resource-policy', 'same-origin')
  if (isHttps) headers.set('strict-transport-security', 'max-age=31536000')
  if (isPersonal && !headers.has('cache-control')) headers.set('cache-control', 'no-store')
}
