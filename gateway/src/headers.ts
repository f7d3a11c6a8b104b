/** Owns what the gateway says of a request to services, and of an answer to clients. */
import type { Ids } from '@quartet/kit/ids'
import type { Random } from '@quartet/kit/random'
import type { Answer } from './answer.ts'

/** What identifies a request from here on: in logs, in traces, and to whoever asks for help. */
export type RequestNames = { requestId: string; traceparent: string }

// They belong to one connection (RFC 9110, 7.6.1). A set of their names, because what a
// client names in `Connection` must not remove what the gateway adds.
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
// Said by the gateway alone, or settled between it and the client. Cookies are the browser's secret.
const NOT_FORWARDED = new Set([
  ...HOP_BY_HOP,
  'host',
  'content-length',
  'expect',
  'forwarded',
  'x-real-ip',
  'cookie',
])

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

/** Headers of a request as a service gets it, by name in lower case. */
export function requestHeaders(
  request: Request,
  { protocol, host }: URL,
  { requestId, traceparent }: RequestNames,
  address: string,
): Record<string, string> {
  const headers: Record<string, string> = {}
  request.headers.forEach((value, name) => {
    if (!NOT_FORWARDED.has(name)) headers[name] = value
  })
  // A state without the trace that it belongs to means nothing.
  if (headers['traceparent'] !== traceparent) delete headers['tracestate']
  headers['traceparent'] = traceparent
  headers['x-request-id'] = requestId
  // Set, not appended to: what a client says of itself proves nothing.
  headers['x-forwarded-for'] = address
  headers['x-forwarded-host'] = host
  headers['x-forwarded-proto'] = protocol.slice(0, -1)
  headers['accept-encoding'] = 'identity'
  return headers
}

/** Headers of a service's answer as clients get it. */
export function answerHeaders(told: Answer['headers']): Answer['headers'] {
  const headers: Answer['headers'] = {}
  for (const [name, value] of Object.entries(told)) {
    if (!HOP_BY_HOP.has(name)) headers[name] = value
  }
  const { location } = headers
  if (typeof location === 'string' && location.startsWith('/')) {
    headers['location'] = `/api${location}`
  }
  return headers
}

// An answer is data: never a page, a script, a frame or another origin's (OWASP REST Security Cheat
// Sheet).
const PROTECTION = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

// A page runs what this origin gave it, and nothing that was written into it: no inline script or style,
// no eval, no frame around it, nothing from or to elsewhere (W3C CSP 3; OWASP Content Security Policy
// Cheat Sheet). `data:` is for small pictures in a style sheet. Its own origin goes with its requests.
const PAGE_PROTECTION = {
  ...PROTECTION,
  'content-security-policy': [
    "default-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
}

type Said = { requestId: string; isHttps: boolean }

/** The answer with what the gateway says on every one. What somebody asked for is kept by nobody else. */
export function protect(
  answer: Answer,
  { isPersonal, ...said }: Said & { isPersonal: boolean },
): Answer {
  const headers: Answer['headers'] = { ...answer.headers, ...PROTECTION, ...onEvery(said) }
  if (isPersonal || headers['set-cookie'] !== undefined) headers['cache-control'] ??= 'no-store'
  return { ...answer, headers }
}

/** The same for a file of the web root, which is everybody's and says how long it may be kept. */
export function protectPage(answer: Answer, said: Said): Answer {
  return { ...answer, headers: { ...answer.headers, ...PAGE_PROTECTION, ...onEvery(said) } }
}

const onEvery = ({ requestId, isHttps }: Said) => ({
  'x-request-id': requestId,
  ...(isHttps ? { 'strict-transport-security': 'max-age=31536000' } : {}),
})
