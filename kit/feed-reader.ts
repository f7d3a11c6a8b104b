/** Owns asking another service's feed: one page, waiting for it where there is none yet. */
import { z } from 'zod'
import type { LoggedEvent } from './event-log.ts'
import { cloudEventSchema, FEED_SCOPE, POSITION_HEADER } from './feed.ts'
import { withTimeout } from './timeout.ts'
import type { World } from './world.ts'

export type FeedOptions = {
  /** The producing service's name. */
  source: string
  baseUrl: string
  /** A bearer token for this scope, for the producer. */
  token: (scope: string) => Promise<string>
  /** Only these come; others are passed over at the producer. */
  types: string[]
}

/** Events in order, and how far the log was read for them. */
export type Page = { events: LoggedEvent[]; position: number }

const WAIT_S = 5
const TIMEOUT_MS = 10_000
const LIMIT = 500

const batchSchema = z.array(cloudEventSchema.extend({ sequence: z.coerce.number().int() }))

/** What comes after a position; throws when there is no usable answer, and the reason of `stopping`. */
export async function readFeed(
  { fetch, timers }: Pick<World<unknown>, 'fetch' | 'timers'>,
  { source, baseUrl, token, types }: FeedOptions,
  after: number,
  stopping: AbortSignal,
): Promise<Page> {
  const query = `after=${after}&wait=${WAIT_S}&limit=${LIMIT}&type=${types.join(',')}`
  const ask = async (signal: AbortSignal): Promise<Page> => {
    const authorization = `Bearer ${await token(FEED_SCOPE)}`
    const response = await fetch(`${baseUrl}/events?${query}`, {
      headers: { authorization },
      signal,
    })
    if (!response.ok) {
      const text = (await response.text()).slice(0, 300)
      throw new Error(`the feed of ${source} answered ${response.status}: ${text}`)
    }
    const events = batchSchema.parse(await response.json())
    const position = z.coerce.number().int().min(after).parse(response.headers.get(POSITION_HEADER))
    return { events: events.map((event) => ({ ...event, time: new Date(event.time) })), position }
  }
  return withTimeout(timers, TIMEOUT_MS, (signal) => unlessAborted(stopping, ask(signal)))
}

/** Gives what `work` gives, or rejects with the signal's reason as soon as it aborts. */
export function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
