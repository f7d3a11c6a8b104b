/** Owns how a service calls a peer: a command with a batch, a token and a deadline; a typed answer, or none. */
import { z } from 'zod'
import { createBreaker, type Breaker } from './breaker.ts'
import { TIMEOUT_HEADER } from './deadline.ts'
import { failureOf } from './failure.ts'
import { createRetryBudget, type RetryBudget } from './retry-budget.ts'
import { peerMetrics, type Metrics, type PeerMetrics } from './telemetry.ts'
import { withTimeout } from './timeout.ts'
import type { World } from './world.ts'

/** Why there is no usable answer. `open`: it wasn't asked, since it failed again and again. */
type Reason = 'refused' | 'reset' | 'timeout' | 'other' | 'error_status' | 'unreadable' | 'open'

/** The peer gave no usable answer: refused, reset, too slow, or a status that isn't 200. The outcome is unknown. */
export class PeerUnavailable extends Error {
  readonly reason: Reason

  constructor(peer: string, reason: Reason, message: string, cause?: unknown) {
    super(`${peer}: ${message}`, { cause })
    this.name = 'PeerUnavailable'
    this.reason = reason
  }
}

export type PeerOptions = {
  name: string
  baseUrl: string
  /** A bearer token for this scope. */
  token: (scope: string) => Promise<string>
  /** For a command with all its retries; told to the peer as what is left of it. */
  timeoutMs: number
  metrics?: Metrics
}

/** `items` are POSTed to `path`; each outcome of the answer is parsed by `outcome`. */
export type Command<Outcome extends z.ZodType> = {
  path: string
  scope: string
  items: unknown[]
  outcome: Outcome
}

export type Peer = {
  name: string
  /**
   * POSTs `{ items }` and gives the `outcomes` of the answer, each parsed for itself: one that can't
   * be read is left out, so match them by what they are for, not by position. Throws PeerUnavailable
   * when there is no answer with an outcome per item: not one is then known.
   */
  send: <Outcome extends z.ZodType>(command: Command<Outcome>) => Promise<z.output<Outcome>[]>
  /** It failed again and again: until it is tried with success, `send` throws at once. */
  isOpen: () => boolean
}

type ClientWorld = Pick<World<unknown>, 'fetch' | 'timers' | 'clock' | 'random'>
type Parts = {
  world: ClientWorld
  options: PeerOptions
  budget: RetryBudget
  breaker: Breaker
  counted: PeerMetrics | undefined
}

const MAX_TRIES = 3
/** For the call that tries a peer that was left alone: those who wait for it shall not wait long. */
const TRIAL_MS = 1_000
const RETRY_MS = 25
/** What a failure says about the peer; what it answered, readable or not, says that it is there. */
const WEIGHTS: Partial<Record<Reason, number>> = {
  refused: 1,
  reset: 1,
  other: 1,
  error_status: 1,
  timeout: 2,
}

/** A peer with what is known of it: its circuit breaker, and how much may be sent to it again. */
export function createPeer(world: ClientWorld, options: PeerOptions): Peer {
  const breaker = createBreaker(world)
  const counted = options.metrics && peerMetrics(options.metrics)
  counted?.isOpen(options.name, breaker.isOpen)
  const parts = { world, options, budget: createRetryBudget(), breaker, counted }
  return { name: options.name, isOpen: breaker.isOpen, send: (command) => send(parts, command) }
}

async function send<Outcome extends z.ZodType>(
  parts: Parts,
  command: Command<Outcome>,
): Promise<z.output<Outcome>[]> {
  const { breaker, counted, options } = parts
  const peer = options.name
  if (!breaker.allows()) {
    counted?.commands.inc({ peer, outcome: 'open' })
    throw new PeerUnavailable(peer, 'open', 'left alone for a while after many failures')
  }
  try {
    const outcomes = await tryInTime(parts, command)
    breaker.succeeded()
    counted?.commands.inc({ peer, outcome: 'answered' })
    return outcomes
  } catch (thrown) {
    const error = toUnavailable(peer, thrown)
    const weight = WEIGHTS[error.reason]
    if (weight === undefined) breaker.succeeded()
    else breaker.failed(weight)
    counted?.commands.inc({ peer, outcome: error.reason })
    throw error
  }
}

/**
 * The one layer that sends again: only what was refused or reset, with full jitter (so that callers
 * don't come back in step), within the budget and the time. Anything else is asked again by its key
 * when its own back-off says so.
 */
async function tryInTime<Outcome extends z.ZodType>(
  { world, options, budget, breaker, counted }: Parts,
  command: Command<Outcome>,
): Promise<z.output<Outcome>[]> {
  const { timers, clock, random } = world
  const timeoutMs = breaker.isOpen() ? Math.min(TRIAL_MS, options.timeoutMs) : options.timeoutMs
  const deadlineMs = clock.now() + timeoutMs
  budget.earn()
  return withTimeout(timers, timeoutMs, async (signal) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await sendOnce(world, options, command, { signal, leftMs: deadlineMs - clock.now() })
      } catch (error) {
        const isLost = ['refused', 'reset'].includes(toUnavailable(options.name, error).reason)
        if (!isLost || tries === MAX_TRIES || signal.aborted || !budget.take()) throw error
        await timers.sleep(random.fraction() * RETRY_MS * 2 ** tries)
        if (signal.aborted) throw error
        counted?.retries.inc({ peer: options.name })
      }
    }
  })
}

async function sendOnce<Outcome extends z.ZodType>(
  { fetch }: ClientWorld,
  { name, baseUrl, token }: PeerOptions,
  command: Command<Outcome>,
  { signal, leftMs }: { signal: AbortSignal; leftMs: number },
): Promise<z.output<Outcome>[]> {
  const response = await fetch(baseUrl + command.path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${await token(command.scope)}`,
      [TIMEOUT_HEADER]: String(Math.floor(leftMs)),
    },
    body: JSON.stringify({ items: command.items }),
    signal,
  })
  return outcomesOf(response, name, command)
}

function toUnavailable(peer: string, error: unknown): PeerUnavailable {
  if (error instanceof PeerUnavailable) return error
  const reason = failureOf(error)
  const message =
    reason === 'timeout' && error instanceof Error ? error.message : 'no usable answer'
  return new PeerUnavailable(peer, reason, message, error)
}

const notJson = (error: unknown): undefined => {
  if (!(error instanceof SyntaxError)) throw error
}

async function outcomesOf<Outcome extends z.ZodType>(
  response: Response,
  peer: string,
  { items, outcome }: Command<Outcome>,
): Promise<z.output<Outcome>[]> {
  if (!response.ok) {
    await response.body?.cancel() // else the connection is never used again
    const reason = response.status >= 500 ? 'error_status' : 'unreadable'
    throw new PeerUnavailable(peer, reason, `answered ${response.status}`)
  }
  const answer = z
    .object({ outcomes: z.array(z.unknown()) })
    .safeParse(await response.json().catch(notJson))
  if (!answer.success)
    throw new PeerUnavailable(peer, 'unreadable', 'no usable answer', answer.error)
  const { outcomes } = answer.data
  if (outcomes.length !== items.length) {
    const counts = `answered ${outcomes.length} outcomes to ${items.length} items`
    throw new PeerUnavailable(peer, 'unreadable', counts)
  }
  return outcomes.flatMap((each) => {
    const parsed = outcome.safeParse(each)
    return parsed.success ? [parsed.data] : []
  })
}
