/** Owns the end of the event log: while anybody listens, one reader follows it and hands events on by their subject. */
import type { Bell } from './bell.ts'
import { newestSequence, readHeads, readSubject, type EventHead } from './event-log.ts'
import type { World } from './world.ts'

/** A subject's events: those that the log had, and then those that come. None is missed, none comes twice. */
export type Following = {
  /** In order; the last hundred, at most. */
  past: EventHead[]
  /** The next that has come since; undefined when it was stopped, or too much waits to be taken. */
  next: () => Promise<EventHead | undefined>
  stop: () => void
}

export type EventTail = {
  /** Wants an index on the log's `subject`. Throws when the database doesn't answer. */
  follow: (subject: string) => Promise<Following>
}

/** Events of one subject that may wait for whoever follows it. */
const MAX_WAITING = 100
const MAX_PAST = 100
const PAGE_SIZE = 1_000
/** A ring that was lost is made up for by then. */
const LOOK_AGAIN_MS = 10_000
const RETRY_MS = 500

/** Many may follow many subjects: the log is read once for all of them, and by nobody when there is none. */
export function createEventTail(
  { db, timers, log }: Pick<World<unknown>, 'db' | 'timers' | 'log'>,
  bell: Bell,
): EventTail {
  const followers = new Map<string, Set<Follower>>()
  /** Resolves when it is known from where on the log is followed. */
  let begun: Promise<void> | undefined

  function add(subject: string, follower: Follower): () => void {
    const those = followers.get(subject) ?? new Set()
    followers.set(subject, those.add(follower))
    return () => {
      follower.end()
      those.delete(follower)
      if (those.size === 0 && followers.get(subject) === those) followers.delete(subject)
    }
  }

  async function begin(): Promise<void> {
    try {
      void run(await newestSequence(db))
    } catch (error) {
      begun = undefined
      throw error
    }
  }

  async function run(from: number): Promise<void> {
    for (let position = from; followers.size > 0 && !bell.isStopped();) {
      const seen = bell.rings()
      try {
        const heads = await readHeads(db, { after: position, limit: PAGE_SIZE })
        for (const head of heads) followers.get(head.subject)?.forEach(({ hear }) => hear(head))
        position = heads.at(-1)?.sequence ?? position
        if (heads.length < PAGE_SIZE) await bell.wait(seen, LOOK_AGAIN_MS)
      } catch (error) {
        log.warn({ error }, 'the end of the event log could not be read; trying again')
        await timers.sleep(RETRY_MS)
      }
    }
    begun = undefined
  }

  return {
    async follow(subject) {
      const follower = createFollower()
      const stop = add(subject, follower)
      try {
        // Whatever is numbered from here on is heard; whatever was before is in the log by then.
        await (begun ??= begin())
        const past = await readSubject(db, subject, MAX_PAST)
        const last = past.at(-1)?.sequence ?? 0
        return { past, next: () => follower.nextAfter(last), stop }
      } catch (error) {
        stop()
        throw error
      }
    },
  }
}

type Follower = {
  hear: (head: EventHead) => void
  nextAfter: (sequence: number) => Promise<EventHead | undefined>
  end: () => void
}

function createFollower(): Follower {
  const waiting: EventHead[] = []
  let isOver = false
  let wake = () => {}

  function end(): void {
    isOver = true
    wake()
  }

  return {
    end,
    hear(head) {
      if (waiting.length === MAX_WAITING) return end()
      waiting.push(head)
      wake()
    },
    async nextAfter(sequence) {
      for (;;) {
        if (isOver) return undefined
        const head = waiting.shift()
        if (head === undefined) await new Promise<void>((resolve) => (wake = resolve))
        else if (head.sequence > sequence) return head
      }
    },
  }
}
