/** Owns events that wait for their turn: in whatever order they came, they leave in that of their numbers. */
import type { LoggedEvent } from './event-log.ts'
import type { Page } from './feed-reader.ts'

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

const MAX_WAITING = 1_000
const MAX_PAGE = 500

/** Of `types` whole events are kept and given; of others, which are passed over, the numbers. */
export function createWaitingEvents(types: string[]): WaitingEvents {
  const waiting = new Map<number, LoggedEvent | undefined>()
  let position = 0
  return {
    put(event) {
      const { sequence, type } = event
      if (sequence <= position) return sequence === position ? 'at' : 'before'
      waiting.set(sequence, types.includes(type) ? event : undefined)
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
