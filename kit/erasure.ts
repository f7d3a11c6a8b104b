/** Owns a service's part in erasure, as one piece: who is erased is recorded, refused, and forgotten step by step. */
import {
  claimUnforgotten,
  noteForgotten,
  noteProgress,
  recordErased,
  type Unforgotten,
} from './erased-subjects.ts'
import { createErasedView } from './erased-view.ts'
import { deleteAnswersOf } from './idempotency.ts'
import { isOutage, type Transaction } from './postgres.ts'
import type { FeedOptions } from './feed-reader.ts'
import { createRounds } from './rounds.ts'
import type { SubscriptionOptions } from './subscription.ts'
import type { World } from './world.ts'

/**
 * Forgets a bounded part of what a service keeps of an erased subject, from after `progress` on: 0 at
 * first, then what it gave before. Undefined when nothing is left. It runs again from `progress` where
 * a transaction was lost.
 */
export type Forget = (
  tx: Transaction,
  subject: string,
  progress: number,
) => Promise<number | undefined>

export type Erasure = {
  /** Whether a subject is erased, as far as this replica knows: for the authenticator. */
  has: (subject: string) => boolean
  /** Reads events that say of their subjects that they are erased: from then on nothing is taken from those, and they are forgotten. */
  subscription: (feed: FeedOptions) => SubscriptionOptions
  start: () => Promise<void>
  stop: () => Promise<void>
}

type ErasureWorld = Pick<World<unknown>, 'db' | 'clock' | 'timers' | 'log'>

/** Deleted in one step: small enough to end well within a statement's time limit. */
const MAX_ANSWERS = 500
/** What a replica that died has left is found within this time. */
const POLL_MS = 60_000

/** Kept answers are forgotten by kit itself; `forget` is for what only the service knows. */
export function createErasure(
  world: ErasureWorld,
  forget: Forget = () => Promise.resolve(undefined),
): Erasure {
  const view = createErasedView(world)
  let stopped = false
  const rounds = createRounds(world, {
    name: 'forgetting',
    pollMs: POLL_MS,
    minWaitMs: 0,
    async run() {
      let from: number | undefined = 0
      while (from !== undefined && !stopped) from = await forgetNext(world, forget, from)
      return null
    },
  })
  return {
    has: view.has,
    subscription: (feed) => ({
      ...feed,
      apply(tx, events) {
        recordErased(
          tx,
          events.map(({ subject, time }) => ({ subject, erasedAt: time })),
        )
        return Promise.resolve()
      },
      applied: () => rounds.wakeAt(world.clock.now()),
    }),
    async start() {
      await view.start()
      rounds.start()
    },
    async stop() {
      stopped = true
      await rounds.stop()
      await view.stop()
    },
  }
}

/** One step of the first erasure from a position on; gives where the next step begins. One that fails stops no other. */
async function forgetNext(
  { db, clock, log }: ErasureWorld,
  forget: Forget,
  from: number,
): Promise<number | undefined> {
  let claimed: Unforgotten | undefined
  try {
    return await db.transaction(async (tx) => {
      claimed = await claimUnforgotten(tx, from)
      if (claimed === undefined) return undefined
      const { position, subject, progress } = claimed
      if ((await deleteAnswersOf(tx, subject, MAX_ANSWERS)) === MAX_ANSWERS) return position
      const next = await forget(tx, subject, progress)
      if (next !== undefined) {
        noteProgress(tx, subject, next)
        return position
      }
      noteForgotten(tx, subject, new Date(clock.now()))
      return position + 1
    })
  } catch (error) {
    if (isOutage(error) || claimed === undefined) throw error
    log.error({ error, position: claimed.position }, 'an erased subject could not be forgotten')
    return claimed.position + 1
  }
}
