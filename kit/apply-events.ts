/** Owns applying events: effect and position in one transaction, and what becomes of those that can't be applied. */
import type { LoggedEvent } from './event-log.ts'
import type { Page } from './feed-reader.ts'
import { lockSubscription, movePosition, type PositionKey, type Renewal } from './positions.ts'
import { isOutage, type Transaction } from './postgres.ts'
import { blockedSubjects, listSetAside, removeSetAside, setAside } from './set-aside.ts'
import type { World } from './world.ts'

export type Handler = {
  source: string
  /**
   * Applies events in their order, in the transaction that moves the position. Whatever it throws that
   * isn't an outage is taken for the event's fault, and sets it aside.
   */
  apply: (tx: Transaction, events: LoggedEvent[]) => Promise<void>
  /** After the commit: what needs no promise, such as waking somebody. */
  applied?: (events: LoggedEvent[]) => void
}

type ApplyWorld = Pick<World<unknown>, 'db' | 'clock' | 'log'>

/**
 * Applies a page that was read from `from`. Gives the new position, or undefined when the position had
 * moved: another replica has applied these events (rule 19). Events of a subject that has one set
 * aside follow it (rule 20). Throws on an outage: nothing has happened then.
 */
export async function applyPage(
  world: ApplyWorld,
  handler: Handler,
  renewal: Renewal,
  { from, page }: { from: number; page: Page },
): Promise<number | undefined> {
  const { events, position: to } = page
  try {
    return await move(world, handler, renewal, { from, to, events })
  } catch (error) {
    const [first, ...rest] = events
    if (isOutage(error) || first === undefined) throw error
    if (rest.length === 0)
      return moveAside(world, handler, renewal, { from, to, event: first, error })
  }
  // One of them can't be applied: each goes for itself, so that only that one is set aside.
  let at = from
  for (const [index, event] of events.entries()) {
    const position = index === events.length - 1 ? to : event.sequence
    const step = { from: at, page: { events: [event], position } }
    const next = await applyPage(world, handler, renewal, step)
    if (next === undefined) return undefined
    at = next
  }
  return at
}

const keyOf = (source: string): PositionKey => ({ table: 'subscriptions', source })

type Move = { from: number; to: number; events: LoggedEvent[] }

async function move(
  { db, clock }: ApplyWorld,
  { source, apply, applied }: Handler,
  renewal: Renewal,
  { from, to, events }: Move,
): Promise<number | undefined> {
  const fresh = await db.transaction(async (tx) => {
    // First: whoever applies the same page waits here, and then finds the position moved.
    if (!(await movePosition(tx, keyOf(source), { from, to, ...renewal }))) return undefined
    const free = await withoutBlocked(tx, source, events, new Date(clock.now()))
    if (free.length > 0) await apply(tx, free)
    return free
  })
  if (fresh === undefined) return undefined
  if (fresh.length > 0) applied?.(fresh)
  return to
}

async function withoutBlocked(
  tx: Transaction,
  source: string,
  events: LoggedEvent[],
  now: Date,
): Promise<LoggedEvent[]> {
  if (events.length === 0) return []
  const blocked = await blockedSubjects(tx, source, events)
  if (blocked.size === 0) return events
  const behind = events.filter(({ subject }) => blocked.has(subject))
  const reason = 'waits behind another event of its subject'
  setAside(
    tx,
    source,
    behind.map((event) => ({ event, reason })),
    now,
  )
  return events.filter(({ subject }) => !blocked.has(subject))
}

type Failed = { from: number; to: number; event: LoggedEvent; error: unknown }

async function moveAside(
  { db, clock, log }: ApplyWorld,
  { source }: Handler,
  renewal: Renewal,
  { from, to, event, error }: Failed,
): Promise<number | undefined> {
  const { type, subject, sequence } = event
  log.error({ error, source, type, subject, sequence }, 'an event is set aside')
  const reason = (error instanceof Error ? error.message : String(error)).slice(0, 1_000)
  return db.transaction(async (tx) => {
    if (!(await movePosition(tx, keyOf(source), { from, to, ...renewal }))) return undefined
    setAside(tx, source, [{ event, reason }], new Date(clock.now()))
    return to
  })
}

/** Replayed in one transaction, at most; what is left is replayed by the next. */
const MAX_REPLAYED = 1_000

/**
 * Applies what is set aside of one subject, in order, and forgets it; gives how many. Throws what the
 * first one that still can't be applied throws: then nothing has happened.
 */
export async function replayEvents(
  { db }: Pick<World<unknown>, 'db'>,
  { source, apply, applied }: Handler,
  subject: string,
): Promise<number> {
  const events = await db.transaction(async (tx) => {
    // Nothing follows into the same place meanwhile.
    lockSubscription(tx, source)
    const waiting = await listSetAside(tx, { source, subject, limit: MAX_REPLAYED })
    for (const event of waiting) {
      await apply(tx, [event])
      removeSetAside(tx, source, event.sequence)
    }
    return waiting
  })
  if (events.length > 0) applied?.(events)
  return events.length
}
