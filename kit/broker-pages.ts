/** Owns pages that a broker brings, and that the feed fills: gaps, silence, and what only it can say. */
import { createArrivals, type ArrivalsOptions } from './arrivals.ts'
import { createBackOff } from './back-off.ts'
import {
  LIMIT,
  readFeed,
  WAIT_S,
  type FeedOptions,
  type Page,
  type Pages,
  type Question,
} from './feed-reader.ts'
import { unlessAborted } from './timeout.ts'
import type { World } from './world.ts'

export type BrokerPagesOptions = FeedOptions &
  Omit<ArrivalsOptions, keyof FeedOptions> & {
    /** Told by which way how many events came, those that are passed over too. */
    noted: (way: Way, count: number) => void
  }

export type Way = 'broker' | 'feed'

type PagesWorld = Pick<World<unknown>, 'clock' | 'timers' | 'random' | 'fetch' | 'log'>

/** A broker that is silent for so long is doubted; that costs a long poll, no more than without it. */
const QUIET_MS = 1_000
/** So long the producer is told nothing while the broker brings all. */
const ACKNOWLEDGE_MS = 5_000
/** Longer than the feed takes to answer, or is left alone. */
const LONGEST_MS = 20_000

/**
 * Reads from the broker as long as it keeps up and nothing is missing. Where something is, the feed is
 * asked for it; where the broker is silent or away, the feed is asked beside it until either tells
 * something. The feed also hears what is done here, every few seconds: it keeps the rest.
 */
export function createBrokerPages(world: PagesWorld, options: BrokerPagesOptions): Pages {
  const { clock } = world
  const arrivals = createArrivals(world, options)
  const backOff = createBackOff(world, {
    fails: 'the feed cannot be read; trying again',
    works: 'the feed is read again',
    fields: { source: options.source },
  })
  let log: string | undefined
  let askedMs = -Infinity

  async function ask(question: Question, stopping: AbortSignal): Promise<Page> {
    askedMs = clock.now()
    const page = await readFeed(world, options, question, stopping)
    ;({ log } = page)
    return page
  }

  /** Gives nothing, after a while, where the feed cannot be read: the broker may go on meanwhile. */
  async function askOrWait(after: number, stopping: AbortSignal): Promise<Page> {
    try {
      // Until the feed has said which log it is, nothing is followed.
      const waitS = log === undefined ? 0 : WAIT_S
      const page = await ask({ after, waitS, limit: LIMIT }, stopping)
      backOff.succeeded()
      return page
    } catch (error) {
      if (stopping.aborted) throw error
      await backOff.failed(error, stopping)
      return nothingAfter(after)
    }
  }

  function acknowledge(after: number, stopping: AbortSignal): void {
    if (clock.now() - askedMs < ACKNOWLEDGE_MS) return
    // Nobody waits for it, and what fails is told again in a while.
    ask({ after, waitS: 0, limit: 1 }, stopping).catch(() => {})
  }

  const noted = (way: Way, after: number, page: Page): Page => {
    options.noted(way, page.position - after)
    return page
  }

  return {
    async read(after, stopping) {
      if (log !== undefined) arrivals.follow(log)
      // What rings from now on is looked at by the next read.
      const seen = arrivals.rings()
      const page = arrivals.next(after)
      if (page !== undefined) {
        acknowledge(after, stopping)
        return noted('broker', after, page)
      }
      if (arrivals.hasGap()) return noted('feed', after, await askOrWait(after, stopping))
      if (!arrivals.keepsUp()) {
        const rung = arrivals.wait(seen, LONGEST_MS).then(() => nothingAfter(after))
        return noted('feed', after, await Promise.race([askOrWait(after, stopping), rung]))
      }
      await unlessAborted(stopping, arrivals.wait(seen, QUIET_MS))
      if (arrivals.rings() === seen) arrivals.doubt()
      return nothingAfter(after)
    },
    standBy() {
      log = undefined
      arrivals.stop()
    },
  }
}

const nothingAfter = (position: number): Page => ({ events: [], position })
