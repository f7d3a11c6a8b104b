/** Owns knowing at once who is erased: in memory, for as long as a token of theirs may be good, over all replicas. */
import { MAX_ACCESS_TOKEN_TTL_S } from './auth.ts'
import { createBell, ERASURES_CHANNEL } from './bell.ts'
import { lastErasedPosition, readErased } from './erased-subjects.ts'
import type { World } from './world.ts'

export type ErasedView = {
  /** Whether a subject was erased while a token of theirs may still be good. */
  has: (subject: string) => boolean
  /** Reads what the database has, then follows. */
  start: () => Promise<void>
  stop: () => Promise<void>
}

// A token that was being granted as its subject was erased is signed a moment later.
const KEPT_MS = (MAX_ACCESS_TOKEN_TTL_S + 60) * 1_000
const MAX_KEPT = 100_000
const PAGE_SIZE = 10_000
/** PostgreSQL tells of new ones; what went unheard is found within this time. */
const LOOK_MS = 60_000
const RETRY_MS = 1_000

/**
 * A view of the newest erasures, `max` at most. It only answers sooner: what must not be taken from the
 * erased is refused by the database.
 */
export function createErasedView(
  world: Pick<World<unknown>, 'db' | 'clock' | 'timers' | 'log'>,
  max: number = MAX_KEPT,
): ErasedView {
  const { db, clock, log } = world
  const bell = createBell(world, ERASURES_CHANNEL)
  const erasedAtMs = new Map<string, number>()
  let position: number | undefined
  let following: Promise<void> | undefined

  function forgetOld(): void {
    const since = clock.now() - KEPT_MS
    for (const [subject, atMs] of erasedAtMs) {
      if (atMs > since && erasedAtMs.size <= max) break
      erasedAtMs.delete(subject)
    }
  }

  async function refresh(): Promise<void> {
    position ??= Math.max(0, (await lastErasedPosition(db)) - max)
    for (let count = PAGE_SIZE; count === PAGE_SIZE;) {
      const page = await readErased(db, { after: position, limit: PAGE_SIZE })
      for (const { subject, erasedAt } of page) erasedAtMs.set(subject, erasedAt.getTime())
      position = page.at(-1)?.position ?? position
      count = page.length
      forgetOld()
    }
  }

  async function follow(): Promise<void> {
    for (let waitMs = LOOK_MS; !bell.isStopped();) {
      const seen = bell.rings()
      await refresh().then(
        () => (waitMs = LOOK_MS),
        (error: unknown) => {
          waitMs = RETRY_MS
          log.warn({ error }, 'who was erased could not be read; trying again')
        },
      )
      await bell.wait(seen, waitMs)
    }
  }

  return {
    has: (subject) => erasedAtMs.has(subject),
    async start() {
      await refresh()
      following ??= follow()
    },
    async stop() {
      bell.stop()
      await following
    },
  }
}
