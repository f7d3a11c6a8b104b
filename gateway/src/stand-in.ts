/** Owns standing in for a service that does not answer: with the last good copy of what it lets be shown, marked as old. */
import { Problem } from '@quartet/kit/problem'
import { countByPeer, type Metrics } from '@quartet/kit/telemetry'
import type { Answer } from './answer.ts'
import type { GatewayWorld } from './app.ts'
import { createLastGood, type Copy } from './last-good.ts'
import type { Services } from './services.ts'

/** While a service does not answer, one request in so many milliseconds asks whether it does. */
const PROBE_EVERY_MS = 1_000

/** What RFC 5861 (4) means by an error; the service has told that the copy may be shown then. */
const ERRORS = new Set([500, 502, 503, 504])

/** `ask`, and the copy where that gives none or an error. Who has no copy gets the error. */
export function createStandIn(
  world: Pick<GatewayWorld, 'clock'> & { config: { KEPT_COPIES_MIB: number } },
  metrics: Metrics,
  ask: Services['ask'],
): Services['ask'] {
  const { clock, config } = world
  const copies = createLastGood(world, config.KEPT_COPIES_MIB * 1024 * 1024)
  const askAgainAtMs = new Map<string, number>()
  const stale = countByPeer(
    metrics,
    'stale_answers_total',
    'Answers from the last good copy, while a service did not answer.',
  )

  /** Whether a service is left alone just now; if it is due, whoever asks this is who asks it. */
  function isDown(service: string): boolean {
    const atMs = askAgainAtMs.get(service)
    if (atMs === undefined) return false
    if (clock.now() < atMs) return true
    askAgainAtMs.set(service, clock.now() + PROBE_EVERY_MS)
    return false
  }

  function show(copy: Copy, service: string, method: string): Answer {
    stale.inc({ peer: service })
    const ageS = Math.floor((clock.now() - copy.atMs) / 1_000)
    const headers = {
      ...copy.headers,
      // RFC 9111 (5.1) and RFC 9211. A browser must not take it for what the service says.
      age: String(ageS),
      'cache-status': `quartet-gateway; hit; ttl=-${ageS}; detail=stale-if-error`,
      'cache-control': 'no-store',
    }
    return { status: 200, headers, body: method === 'HEAD' ? null : copy.body }
  }

  return async (target, outgoing) => {
    const { service, url } = target
    const { method, gone } = outgoing
    if (method !== 'GET' && method !== 'HEAD') return ask(target, outgoing)
    const copy = copies.find(url)
    if (copy === undefined) {
      const answer = await ask(target, outgoing)
      return method === 'GET' ? copies.note(url, answer) : answer
    }
    if (isDown(service)) return show(copy, service, method)
    try {
      const answer = await ask(target, { ...outgoing, isReplaceable: true })
      if (!ERRORS.has(answer.status)) {
        askAgainAtMs.delete(service)
        return method === 'GET' ? await copies.note(url, answer) : answer
      }
      if (answer.body instanceof ReadableStream) void answer.body.cancel()
    } catch (error) {
      const isFailure = error instanceof Problem && error.kind === 'unavailable'
      if (!isFailure || gone.aborted) throw error
    }
    askAgainAtMs.set(service, clock.now() + PROBE_EVERY_MS)
    return show(copy, service, method)
  }
}
