/** Owns publishing: one replica at a time gives the broker this service's numbered events, in order. */
import type { Bell } from './bell.ts'
import type { Broker } from './broker.ts'
import { cloudEventText } from './cloud-event.ts'
import { readToPublish } from './event-log.ts'
import { createLeasedWork, type LeasedWork } from './leased-work.ts'
import { movePosition, type PositionKey } from './positions.ts'
import { unlessAborted } from './timeout.ts'
import type { World } from './world.ts'

export type PublisherOptions = {
  /** The service's name, which its log bears at the broker. */
  name: string
  broker: Broker
  /** Rung when events were numbered. */
  bell: Bell
  logId: () => Promise<string>
}

export type Publisher = LeasedWork & {
  /** For how long the oldest event that the broker should have has been there; 0 for none. */
  waitingMs: () => number
}

type PublisherWorld = Pick<World<unknown>, 'db' | 'clock' | 'timers' | 'random' | 'ids' | 'log'>

const BATCH_SIZE = 500
const WAIT_MS = 5_000
/**
 * After an outage it begins no further back: readers have the rest from the feed by now, and what is
 * new would come behind it.
 */
const FURTHEST = 10_000

/**
 * The position moves when the broker has acknowledged. What was sent before a crash and is sent again
 * is stored once by its id, or is passed over by the readers.
 */
export function createPublisher(world: PublisherWorld, options: PublisherOptions): Publisher {
  const { db, clock } = world
  const { name, broker, bell, logId } = options
  const key: PositionKey = { table: 'publications', source: name }
  let oldest: Date | undefined

  const work = createLeasedWork(world, {
    key,
    async step({ position, renew, stopping }) {
      const seen = bell.rings()
      const events = await readToPublish(db, {
        after: position,
        furthest: FURTHEST,
        limit: BATCH_SIZE,
      })
      oldest = events[0]?.time
      const last = events.at(-1)
      if (last === undefined) {
        await bell.wait(seen, WAIT_MS)
        return position
      }
      const log = await logId()
      const messages = events.map((event) => ({
        id: event.id,
        type: event.type,
        text: cloudEventText(`/${name}`, event, { log }),
      }))
      await unlessAborted(stopping, broker.publish(name, messages))
      oldest = undefined
      const move = { from: position, to: last.sequence, ...renew() }
      return (await movePosition(db, key, move)) ? last.sequence : undefined
    },
    standBy: () => (oldest = undefined),
    words: {
      fails: 'events are not published; readers have them from the feed',
      works: 'events are published again',
      fields: {},
    },
  })
  return { ...work, waitingMs: () => (oldest === undefined ? 0 : clock.now() - oldest.getTime()) }
}
