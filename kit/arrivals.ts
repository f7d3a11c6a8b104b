/** Owns what a broker brings of a log: kept until its turn has come, and relied on while the broker keeps up. */
import { z } from 'zod'
import { createBackOff } from './back-off.ts'
import { createHandBell, type Bell } from './bell.ts'
import type { Broker } from './broker.ts'
import { loggedEventSchema } from './cloud-event.ts'
import type { FeedOptions } from './feed-reader.ts'
import { createWaitingEvents, type WaitingEvents } from './waiting-events.ts'
import type { World } from './world.ts'

/** Whose log, what is wanted of it, and who reads it. */
export type ArrivalsOptions = Pick<FeedOptions, 'source' | 'types' | 'unless'> & {
  broker: Broker
  reader: string
}

/** It rings when something came that is of use, and when it can't be relied on any more. */
export type Arrivals = Pick<Bell, 'rings' | 'wait'> &
  Pick<WaitingEvents, 'next' | 'hasGap'> & {
    /** Begins to follow, or goes on. `log` is the one that is meant, and no other of that name. */
    follow: (log: string) => void
    /** The broker has told of the newest event that is known here, and was neither silent nor away since. */
    keepsUp: () => boolean
    /** It was silent for so long that it may have ceased to tell. */
    doubt: () => void
    /** Follows no longer, and forgets. */
    stop: () => void
  }

type ArrivalsWorld = Pick<World<unknown>, 'timers' | 'random' | 'log'>
type Following = { log: string; end: AbortController }

const LOOK_AGAIN_MS = 1_000

const WORDS = {
  fails: 'the broker brings nothing; events are read from the feed',
  works: 'the broker brings events again',
}

const arrivalSchema = loggedEventSchema.extend({ log: z.string() })

export function createArrivals(world: ArrivalsWorld, options: ArrivalsOptions): Arrivals {
  const { broker, source, reader } = options
  const waiting = createWaitingEvents(options)
  const bell = createHandBell(world.timers)
  const room = createHandBell(world.timers)
  let keepsUp = false
  let following: Following | undefined

  /** Keeps what is of use; says whether it is. */
  function take(text: string, log: string): boolean {
    const { log: itsLog, ...event } = arrivalSchema.parse(JSON.parse(text))
    if (itsLog !== log) return false
    const place = waiting.put(event)
    keepsUp ||= place !== 'before'
    return place === 'after'
  }

  async function run({ log, end: { signal } }: Following): Promise<void> {
    const backOff = createBackOff(world, { ...WORDS, fields: { source } })
    while (!signal.aborted) {
      try {
        for await (const texts of broker.follow(source, reader, signal)) {
          backOff.succeeded()
          if (texts.map((text) => take(text, log)).includes(true)) bell.ring()
          // The rest waits at the broker.
          while (waiting.isFull() && !signal.aborted) await room.wait(room.rings(), LOOK_AGAIN_MS)
        }
      } catch (error) {
        if (signal.aborted) return
        if (keepsUp) bell.ring()
        keepsUp = false
        await backOff.failed(error, signal)
      }
    }
  }

  function stop(): void {
    following?.end.abort(new Error('nobody reads here any more'))
    following = undefined
    keepsUp = false
    waiting.clear()
    room.ring()
  }

  return {
    rings: bell.rings,
    wait: bell.wait,
    hasGap: waiting.hasGap,
    keepsUp: () => keepsUp,
    stop,
    follow(log) {
      if (following?.log === log) return
      stop()
      following = { log, end: new AbortController() }
      void run(following)
    },
    next(position) {
      const page = waiting.next(position)
      room.ring()
      return page
    },
    doubt() {
      keepsUp = false
    },
  }
}
