/** Owns a subscription: one replica at a time reads another service's events and has them applied, for as long as it lives. */
import { applyPage, replayEvents, type Handler } from './apply-events.ts'
import { createFeedPages, LIMIT, type FeedOptions, type Pages } from './feed-reader.ts'
import { createLeasedWork, type LeasedWork } from './leased-work.ts'
import { unlessAborted } from './timeout.ts'
import type { World } from './world.ts'

export type SubscriptionOptions = FeedOptions &
  Handler & {
    /**
     * Milliseconds between a page and the next, unless that page was full: what comes meanwhile is asked
     * for, applied and committed together, which costs less. The first after a pause waits for nothing.
     */
    gatherMs?: number
  }

export type Subscription = LeasedWork & {
  source: string
  /** Applies what is set aside of one subject, in order; gives how many, or throws the first failure. */
  replay: (subject: string) => Promise<number>
}

type SubscriptionWorld = Pick<
  World<unknown>,
  'db' | 'clock' | 'timers' | 'random' | 'ids' | 'fetch' | 'log'
>

/**
 * Subscribes to a service's events, which come in `pages`: from its feed, where nothing else is said.
 * Any number of replicas may: one reads, the others stand by.
 */
export function createSubscription(
  world: SubscriptionWorld,
  options: SubscriptionOptions,
  pages: Pages = createFeedPages(world, options),
): Subscription {
  const { source, gatherMs = 0 } = options
  const work = createLeasedWork(world, {
    key: { table: 'subscriptions', source },
    async step({ position, renew, stopping }) {
      const page = await pages.read(position, stopping)
      if (page.position === position) return position
      const to = await applyPage(world, options, renew(), { from: position, page })
      // By what is applied, not by how far the log was read: what is passed over costs next to nothing.
      if (gatherMs > 0 && page.events.length < LIMIT)
        await unlessAborted(stopping, world.timers.sleep(gatherMs))
      return to
    },
    standBy: pages.standBy,
    words: {
      fails: 'events cannot be read or applied; trying again',
      works: 'events are read and applied again',
      fields: { source },
    },
  })
  return { ...work, source, replay: (subject) => replayEvents(world, options, subject) }
}
