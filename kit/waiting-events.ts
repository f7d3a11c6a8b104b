/** Owns events that wait for their turn: in whatever order they came, they leave in that of their numbers. */
import type { LoggedEvent } from './event-log.ts'
import type { FeedOptions, Page } from './feed-reader.ts'

export type WaitingEvents = {
  /** Keeps an event that comes after the position; says how it stands to it. */
  put: (event: LoggedEvent) => 'before' | 'at' | 'after'
  /** What follows on a position without a gap, as one page; forgets what is not after it. */
  next: (position: number) => Page | undefined
  /** Later events are here than the one that is next. */
  hasGap: () => boolean
  isFull: () => boolean
  clear: () => void
}

type Wanted = Pick<FeedOptions, 'types' | 'unless'>

const MAX_WAITING = 1_000
const MAX_PAGE = 500

/** Whole events are kept and given that the feed would give; of others, which are passed over, the numbers. */
export function createWaitingEvents({ types, unless }: Wanted): WaitingEvents {
  const isWanted = ({ type, data }: LoggedEvent) =>
    types.includes(type) && (unless === undefined || data[unless] !== true)
  const waiting = new Map<number, LoggedEvent | undefined>()
  let position = 0
  return {
    put(event) {
      const { sequence } = event
      if (sequence <= position) return sequence === position ? 'at' : 'before'
      waiting.set(sequence, isWanted(event) ? event : undefined)
      return 'after'
    },
    next(from) {
      position = from
      for (const sequence of waiting.keys()) if (sequence <= from) waiting.delete(sequence)
      // They stay until the position is past them: what can't be applied now is asked for again.
      return pageAfter(from, waiting)
    },
    hasGap: () => waiting.size > 0 && !waiting.has(position + 1),
    isFull: () => waiting.size >= MAX_WAITING,
    clear: () => waiting.clear(),
  }
}

function pageAfter(
  from: number,
  waiting: ReadonlyMap<number, LoggedEvent | undefined>,
): Page | undefined {
  const events: LoggedEvent[] = []
  let position = from
  while (events.length < MAX_PAGE && waiting.has(position + 1)) {
    position += 1
    const event = waiting.get(position)
    if (event !== undefined) events.push(event)
  }
  return position === from ? undefined : { events, position }
}
