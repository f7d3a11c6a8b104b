/** Owns a stand-in for the feed of another service: events in memory, for those that subscribe to them. */
import { POSITION_HEADER } from '../feed.ts'
import type { TestClock } from '../testing.ts'

type Said = { type: string; subject: string; data: Record<string, unknown> }

export type TestFeed = {
  /** Says something now. */
  say: (event: Said) => void
  /** Answers `GET /events`. */
  fetch: (request: Request) => Promise<Response>
}

/** A feed that waits as a real one does, on the test's clock. */
export function createTestFeed(clock: TestClock, source: string): TestFeed {
  const events: Record<string, unknown>[] = []
  let next = Promise.withResolvers<void>()
  return {
    say(event) {
      const sequence = String(events.length + 1)
      const time = new Date(clock.now()).toISOString()
      events.push({
        specversion: '1.0',
        id: `evt_${sequence}`,
        source,
        time,
        datacontenttype: 'application/json',
        sequence,
        ...event,
      })
      next.resolve()
      next = Promise.withResolvers()
    },
    async fetch(request) {
      const query = new URL(request.url).searchParams
      const after = Number(query.get('after'))
      const waitMs = Number(query.get('wait')) * 1_000
      if (events.length <= after) await Promise.race([next.promise, clock.timers.sleep(waitMs)])
      const types = query.get('type')?.split(',') ?? []
      const page = events.slice(after).filter(({ type }) => types.includes(String(type)))
      const headers = { [POSITION_HEADER]: String(Math.max(after, events.length)) }
      return Response.json(page, { headers })
    },
  }
}
