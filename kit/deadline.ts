/** Owns the deadline that travels with a request: how much time its caller gives it. */
import { Problem } from './problem.ts'
import type { Clock } from './time.ts'

/**
 * Milliseconds that are left when the request is sent. Relative, as gRPC's `grpc-timeout` is: the
 * clocks of two machines differ by more than a request may take.
 */
export const TIMEOUT_HEADER = 'x-request-timeout-ms'

const LONGEST_MS = 600_000
/** What the answer needs to get back, so that it is there before its caller gives up. */
const MARGIN_MS = 50

/** When the caller gives up, by this clock; undefined where it doesn't say, or not in whole milliseconds. */
export function deadlineOf(header: string | null | undefined, clock: Clock): number | undefined {
  if (header === null || header === undefined || !/^\d{1,9}$/.test(header)) return undefined
  return clock.now() + Math.min(Number(header), LONGEST_MS)
}

/** How long to work at most: `limitMs`, or what is left until the deadline with time to answer. */
export function timeWithin(limitMs: number, deadlineMs: number | undefined, clock: Clock): number {
  if (deadlineMs === undefined) return limitMs
  return Math.max(0, Math.min(limitMs, deadlineMs - MARGIN_MS - clock.now()))
}

/** Refuses what nobody waits for any more. Only before its work has begun. */
export const deadlineExceeded = new Problem('unavailable', 'The time for this request is over', {
  code: 'deadline_exceeded',
  detail: 'Nothing was done. Send the request again with the same Idempotency-Key, and more time.',
  retryAfterS: 1,
})
