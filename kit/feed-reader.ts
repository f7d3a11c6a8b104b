/** Owns asking another service's feed: one page, waiting for it where there is none yet. */
import { z } from 'zod'
import { loggedEventSchema } from './cloud-event.ts'
import type { LoggedEvent } from './event-log.ts'
import { FEED_SCOPE, LOG_HEADER, POSITION_HEADER } from './feed.ts'
import { unlessAborted, withTimeout } from './timeout.ts'
import type { World } from './world.ts'

export type FeedOptions = {
  /** The producing service's name. */
  source: string
  baseUrl: string
  /** A bearer token for this scope, for the producer. */
  token: (scope: string) => Promise<string>
  /** Only these come; others are passed over at the producer. */
  types: string[]
  /** Nor do those come whose data has this field true. */
  unless?: string
}

/** Events in order, and how far the log was read for them. */
export type Page = { events: LoggedEvent[]; position: number }

/** With the name of the log that was read. */
export type FeedPage = Page & { log: string | undefined }

/** Where a reader's pages come from. */
export type Pages = {
  /**
   * What comes after a position: as soon as something does, or nothing after some seconds. Throws when
   * nobody can tell, and the reason of `stopping`. What is asked past is acknowledged.
   */
  read: (after: number, stopping: AbortSignal) => Promise<Page>
  /** Lets go of what it holds: another replica reads from now on. The next read begins anew. */
  standBy: () => void
}

export type Question = { after: number; waitS: number; limit: number }

export const WAIT_S = 5
export const LIMIT = 500
const TIMEOUT_MS = 10_000

// Made once: a schema costs more than what it reads.
const pageSchema = z.array(loggedEventSchema)
const positionSchema = z.coerce.number().int()

/** Pages as the producer's feed gives them, one long poll each. */
export const createFeedPages = (
  world: Pick<World<unknown>, 'fetch' | 'timers'>,
  options: FeedOptions,
): Pages => ({
  read: (after, stopping) =>
    readFeed(world, options, { after, waitS: WAIT_S, limit: LIMIT }, stopping),
  standBy() {},
})

/** What comes after a position; throws when there is no usable answer, and the reason of `stopping`. */
export async function readFeed(
  { fetch, timers }: Pick<World<unknown>, 'fetch' | 'timers'>,
  { source, baseUrl, token, types, unless }: FeedOptions,
  { after, waitS, limit }: Question,
  stopping: AbortSignal,
): Promise<FeedPage> {
  const query = new URLSearchParams({
    after: String(after),
    wait: String(waitS),
    limit: String(limit),
    type: types.join(','),
    ...(unless === undefined ? {} : { unless }),
  })
  const ask = async (signal: AbortSignal): Promise<FeedPage> => {
    const authorization = `Bearer ${await token(FEED_SCOPE)}`
    const response = await fetch(`${baseUrl}/events?${query.toString()}`, {
      headers: { authorization },
      signal,
    })
    if (!response.ok) {
      const text = (await response.text()).slice(0, 300)
      throw new Error(`the feed of ${source} answered ${response.status}: ${text}`)
    }
    const events = pageSchema.parse(await response.json())
    const position = positionSchema.parse(response.headers.get(POSITION_HEADER))
    if (position < after) throw new Error(`the feed of ${source} went back to ${position}`)
    return { events, position, log: response.headers.get(LOG_HEADER) ?? undefined }
  }
  return withTimeout(timers, TIMEOUT_MS, (signal) => unlessAborted(stopping, ask(signal)))
}
