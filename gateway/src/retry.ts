/** Owns what is asked again: what was refused is held until somebody listens, what was reset if it may be repeated. */
import { failureOf } from '@quartet/kit/failure'
import { Problem } from '@quartet/kit/problem'
import type { Random } from '@quartet/kit/random'
import type { World } from '@quartet/kit/world'

type RetryWorld = Pick<World<unknown>, 'clock' | 'timers' | 'log'> & { random: Random }

/** A request that can be sent again. */
type Attempt = {
  service: string
  /** How long it waits for a service that is not there. */
  holdMs?: number
  /** Whether sending it twice does what sending it once does (RFC 9110, 9.2.2, or by its key). */
  isRepeatable: boolean
  /** The client that asked is gone. */
  isAbandoned: () => boolean
  send: () => Promise<Response>
}

export type Retrier = { run: (attempt: Attempt) => Promise<Response> }

/** How long a request waits for a service that is not there, or comes back. */
const HOLD_MS = 5_000
/** Requests that wait so at once: each keeps its body in memory. */
const MAX_HELD = 1_000
const FIRST_WAIT_MS = 25
const LONGEST_WAIT_MS = 500
/** Resets that are asked again, at most this share of all requests: a service in trouble gets no more. */
const RETRY_SHARE = 0.1
const RESERVE = 10

/** Sends requests, and sends them again where that helps. The only layer before the services that does. */
export function createRetrier(world: RetryWorld): Retrier {
  let held = 0
  let tokens = RESERVE

  function mayRepeat(failure: ReturnType<typeof failureOf>, isRepeatable: boolean): boolean {
    if (failure === 'refused') return true // it was never sent
    if (failure !== 'reset' || !isRepeatable || tokens < 1) return false
    tokens -= 1
    return true
  }

  async function wait(tries: number): Promise<void> {
    const ceilingMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries)
    held += 1
    try {
      await world.timers.sleep(ceilingMs * world.random.fraction()) // full jitter
    } finally {
      held -= 1
    }
  }

  return {
    async run({ service, holdMs = HOLD_MS, isRepeatable, isAbandoned, send }) {
      tokens = Math.min(RESERVE, tokens + RETRY_SHARE)
      const endMs = world.clock.now() + holdMs
      for (let tries = 0; ; tries += 1) {
        try {
          return await send()
        } catch (error) {
          if (isAbandoned()) throw clientGone()
          const failure = failureOf(error)
          world.log.warn({ error, peer: service, failure, tries }, 'a service did not answer')
          if (failure === 'timeout') throw timedOut(service)
          const isOver = world.clock.now() >= endMs || held >= MAX_HELD
          if (isOver || !mayRepeat(failure, isRepeatable)) throw unavailable(service)
        }
        await wait(tries)
        if (isAbandoned()) throw clientGone()
      }
    },
  }
}

/** A 503 problem that names the service. */
export const unavailable = (service: string) =>
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
