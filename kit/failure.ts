/** Owns how a request that got no answer is told apart: by whether it was sent, and by who gave up. */

/**
 * `refused`: never sent, so it may be sent again whatever it asks for. `reset`: the connection broke,
 * the outcome is unknown. `timeout`: nobody answered in time. `other`: anything else, such as a
 * caller that went away.
 */
export type Failure = 'refused' | 'reset' | 'timeout' | 'other'

const REFUSED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
])
const RESET = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET'])
const TIMEOUT = new Set(['ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])
const MAX_DEPTH = 5

/** What kind of failure an error of `fetch` is; its causes are asked too. */
export function failureOf(error: unknown): Failure {
  let current = error
  for (let depth = 0; depth < MAX_DEPTH && current instanceof Error; depth += 1) {
    const known = knownFailure(current)
    if (known !== undefined) return known
    // Addresses of one name that all failed (happy eyeballs) come together.
    current = current instanceof AggregateError ? current.errors[0] : current.cause
  }
  return 'other'
}

function knownFailure(error: Error): Failure | undefined {
  if (error.name === 'TimeoutError') return 'timeout'
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'ETIMEDOUT' && 'syscall' in error && error.syscall === 'connect') return 'refused'
  if (REFUSED.has(code)) return 'refused'
  if (RESET.has(code) || error.message === 'other side closed') return 'reset'
  return TIMEOUT.has(code) ? 'timeout' : undefined
}
