/** Owns `GET /events`: the log of a service as CloudEvents, read on from a position, waiting where there is none yet. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Authenticator } from './auth.ts'
import type { Bell } from './bell.ts'
import { cloudEventSchema, cloudEventText } from './cloud-event.ts'
import { acknowledge, readEvents, type EventPage, type EventQuery } from './event-log.ts'
import type { Http } from './http.ts'
import { problem, security } from './openapi.ts'
import { Problem } from './problem.ts'
import { unlessAborted } from './timeout.ts'
import type { World } from './world.ts'

/** What a service's token must be for. */
export const FEED_SCOPE = 'events'
/** How far the log was read for an answer: ask on from there, though no event may have come. */
export const POSITION_HEADER = 'Events-Position'
/** Which log was read: the broker may still hold events of another one that bore the same name. */
export const LOG_HEADER = 'Events-Log'
export const MAX_WAIT_S = 30
export const MAX_EVENTS = 1_000
const DEFAULT_EVENTS = 500
/** Acknowledgements that come sooner than this are not written: retention thinks in days. */
const ACKNOWLEDGE_EVERY_MS = 5_000
/** Who still asks a replica that leaves waits no longer than this, and asks another then. */
const LEAVING_WAIT_MS = 500

const number = (min: number, max: number, fallback: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback)

const route = createRoute({
  method: 'get',
  path: '/events',
  tags: ['events'],
  security,
  summary: 'Read events in order (services and admins)',
  description:
    'Answers at once when there are events after `after`, else when one comes or after `wait` ' +
    'seconds. A service that reads is registered by its first request: what it has not asked past ' +
    'is kept for it.',
  request: {
    query: z.object({
      after: number(0, Number.MAX_SAFE_INTEGER, 0),
      wait: number(0, MAX_WAIT_S, 0),
      limit: number(1, MAX_EVENTS, DEFAULT_EVENTS),
      type: z
        .string()
        .max(2_000)
        .optional()
        .openapi({ description: 'Only these, separated by commas.' }),
      unless: z
        .string()
        .max(100)
        .optional()
        .openapi({ description: 'Not those whose data has this field true.' }),
    }),
  },
  responses: {
    200: {
      description: 'Events in order; Events-Position says how far the log was read for them',
      content: { 'application/cloudevents-batch+json': { schema: z.array(cloudEventSchema) } },
    },
    410: problem('`events_gone`: the log begins later; start anew from `oldest`'),
  },
})

type Dependencies = {
  world: Pick<World<unknown>, 'db' | 'clock'>
  authenticator: Pick<Authenticator, 'serviceOrAdmin'>
  bell: Bell
  /** As CloudEvents name it, such as `/things`. */
  source: string
  logId: () => Promise<string>
}

export type Feed = {
  /** Another replica takes over: who waits is answered at once. */
  drain: () => void
}

/** Adds the feed to a service. */
export function addFeed(
  http: Http,
  { world, authenticator, bell, source, logId }: Dependencies,
): Feed {
  const leaving = new AbortController()
  const noteReader = createAcknowledgements(world)
  http.openapi(route, async (c) => {
    const reader = await authenticator.serviceOrAdmin(c.req.raw, FEED_SCOPE)
    const { after, wait, limit, type, unless } = c.req.valid('query')
    if (reader !== undefined) await noteReader(reader, after)
    const types = type?.split(',').map((each) => each.trim())
    const { wakes, waitMs } = leaving.signal.aborted
      ? { wakes: NEVER, waitMs: Math.min(wait * 1_000, LEAVING_WAIT_MS) }
      : { wakes: leaving.signal, waitMs: wait * 1_000 }
    const untilMs = world.clock.now() + waitMs
    let page: EventPage
    for (;;) {
      const seen = bell.rings()
      page = await readOrGone(world, { after, types, unless, limit })
      const leftMs = untilMs - world.clock.now()
      const isOver = leftMs <= 0 || bell.isStopped() || wakes.aborted
      if (page.events.length > 0 || page.position > after || isOver) break
      await unlessAborted(wakes, bell.wait(seen, leftMs)).catch(() => {})
    }
    const headers = {
      'content-type': 'application/cloudevents-batch+json',
      [POSITION_HEADER]: String(page.position),
      [LOG_HEADER]: await logId(),
    }
    const sent = page.events.map((event) => cloudEventText(source, event))
    return new Response(`[${sent.join(',')}]`, { headers }) as never
  })
  return { drain: () => leaving.abort() }
}

const NEVER = new AbortController().signal

async function readOrGone(
  { db }: Pick<World<unknown>, 'db'>,
  query: EventQuery,
): Promise<EventPage> {
  const page = await readEvents(db, query)
  if (!('oldest' in page)) return page
  throw new Problem('gone', 'These events are gone', {
    code: 'events_gone',
    detail: `The log begins with ${page.oldest}. Take what they told from the service itself, then read on from there.`,
    members: { oldest: page.oldest },
  })
}

function createAcknowledgements({ db, clock }: Pick<World<unknown>, 'db' | 'clock'>) {
  const written = new Map<string, { after: number; atMs: number }>()
  return async (name: string, after: number): Promise<void> => {
    const known = written.get(name)
    const nowMs = clock.now()
    const isFresh = known !== undefined && nowMs - known.atMs < ACKNOWLEDGE_EVERY_MS
    if (isFresh || known?.after === after) return
    await acknowledge(db, { name, after, now: new Date(nowMs) })
    written.set(name, { after, atMs: nowMs })
  }
}
