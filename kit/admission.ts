/** Owns who is let in when there is too much to do: sheds at the door, before a request costs anything. */
import type { Counter } from 'prom-client'
import { createAdaptiveLimit, type Kind } from './adaptive-limit.ts'
import { Problem, problemDocument } from './problem.ts'
import { countOutcomes, gauge, type Metrics } from './telemetry.ts'
import type { App, World } from './world.ts'

export type { Kind } from './adaptive-limit.ts'

export type AdmissionOptions = {
  /** Nine of ten requests that are let in are answered within this time. */
  targetMs: number
  /** What a request is; undefined: it is let in always, as commands, health and whatever ends work are. */
  kindOf: (method: string, path: string) => Kind | undefined
  metrics?: Metrics
}

/** A refusal is told after this time: who asks again at once, all the time, would cost more than work does. */
const HOLD_MS = 250
const MAX_HELD = 4_096

/** What took the way through this process. Other answers came early, or late because a peer did (202). */
const COUNTED = new Set([200, 201, 402, 409])

const overloaded = new Problem('unavailable', 'Overloaded', {
  code: 'overloaded',
  detail: 'Nothing was done. Send the request again, later.',
})

/** Puts a door before `fetch` that sheds with 503 `overloaded` and Retry-After; browsing first. */
export function admit(
  fetch: App['fetch'],
  { clock, timers }: Pick<World<unknown>, 'clock' | 'timers'>,
  { targetMs, kindOf, metrics }: AdmissionOptions,
): App['fetch'] {
  const limit = createAdaptiveLimit({ clock }, { targetMs })
  const shed = metrics && describe(metrics, limit)
  let held = 0

  async function refuse(path: string): Promise<Response> {
    if (held < MAX_HELD) {
      held += 1
      await timers.sleep(HOLD_MS)
      held -= 1
    }
    return refusal(path)
  }

  return async (request) => {
    const path = pathOf(request.url)
    const kind = kindOf(request.method, path)
    if (kind === undefined) return fetch(request)
    const ticket = limit.enter(kind)
    if (ticket === undefined) {
      shed?.inc({ outcome: kind })
      return refuse(path)
    }
    let status = 0
    try {
      const response = await fetch(request)
      status = response.status
      return response
    } finally {
      limit.leave(ticket, COUNTED.has(status))
    }
  }
}

function describe(
  metrics: Metrics,
  limit: { current: () => number; underWay: () => number },
): Counter<'outcome'> {
  gauge(metrics, 'admission_limit', 'Requests that may be under way at once.', limit.current)
  gauge(metrics, 'admission_under_way', 'Requests under way that the limit counts.', limit.underWay)
  return countOutcomes(metrics, 'requests_shed_total', 'Requests shed at the door, by their kind.')
}

// Text and plain headers: what is shed in thousands must not build more than that.
function refusal(path: string): Response {
  return new Response(JSON.stringify(problemDocument(overloaded, path)), {
    status: overloaded.status,
    headers: { 'content-type': 'application/problem+json', 'retry-after': '1' },
  })
}

/** The path of a URL without its query; `new URL` costs more than all else here. */
function pathOf(url: string): string {
  const from = url.indexOf('/', url.indexOf('://') + 3)
  if (from === -1) return '/'
  const query = url.indexOf('?', from)
  return query === -1 ? url.slice(from) : url.slice(from, query)
}
