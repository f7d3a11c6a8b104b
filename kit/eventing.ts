/** Owns a service's part in events, as one piece: it numbers and shows its own, and reads those of others. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Authenticator } from './auth.ts'
import { createBell, EVENTS_CHANNEL } from './bell.ts'
import { createBrokering } from './brokering.ts'
import { createEventRetention } from './event-retention.ts'
import { createSequencer, type Sequencer } from './events.ts'
import { createLogId, readSubscribers } from './event-log.ts'
import { createEventTail, type EventTail } from './event-tail.ts'
import { addFeed } from './feed.ts'
import type { Http } from './http.ts'
import { body, json, problem, security } from './openapi.ts'
import { isOutage } from './postgres.ts'
import { Problem } from './problem.ts'
import { listSetAside } from './set-aside.ts'
import { createSubscription, type Subscription, type SubscriptionOptions } from './subscription.ts'
import type { Metrics } from './telemetry.ts'
import type { World } from './world.ts'

export type Eventing = {
  /** Rung after each commit that appended events. */
  sequencer: Sequencer
  /** The end of its own log, for those who listen here. */
  tail: EventTail
  start: () => void
  /** Another replica takes over: readers that wait here are answered. */
  drain: () => void
  stop: () => Promise<void>
}

export type EventingOptions = {
  /** The service's name. */
  name: string
  authenticator: Pick<Authenticator, 'serviceOrAdmin' | 'admin'>
  metrics: Metrics
  /** Whose events it reads, and what it does with them. */
  subscriptions?: SubscriptionOptions[]
}

const setAsideSchema = z
  .object({
    source: z.string(),
    sequence: z.number(),
    id: z.string(),
    type: z.string(),
    subject: z.string(),
    reason: z.string(),
    set_aside_at: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('SetAsideEvent')

const replaySchema = z.strictObject({ source: z.string().max(64), subject: z.string().max(256) })
const MAX_LISTED = 200

const subscribersSchema = z
  .object({
    newest: z.number().openapi({ description: 'The number of the newest event.' }),
    data: z.array(
      z.object({
        name: z.string(),
        acknowledged: z.number().openapi({ description: 'All up to this one is applied there.' }),
        seen_at: z.string(),
      }),
    ),
  })
  .openapi('Subscribers')

const routes = {
  subscribers: createRoute({
    method: 'get',
    path: '/events/subscribers',
    tags: ['events'],
    security,
    summary: 'Who reads these events, and how far each has come (admin)',
    responses: { 200: json(subscribersSchema, 'Noted every five seconds') },
  }),
  list: createRoute({
    method: 'get',
    path: '/events/set-aside',
    tags: ['events'],
    security,
    summary: 'Events of others that could not be applied here (admin)',
    responses: { 200: json(z.object({ data: z.array(setAsideSchema) }), 'Up to 200, in order') },
  }),
  replay: createRoute({
    method: 'post',
    path: '/events/set-aside/replay',
    tags: ['events'],
    security,
    summary: 'Apply what is set aside of one subject, in order (admin)',
    request: { body: body(replaySchema) },
    responses: {
      200: json(z.object({ replayed: z.number() }), 'Applied, and no longer set aside'),
      404: problem('Nothing of this source is read here'),
      409: problem('`event_fails`: the first one still cannot be applied; nothing has changed'),
    },
  }),
}

/** Adds the feed and what is set aside to a service, and reads the events that it subscribes to. */
export function createEventing(
  world: World<{ EVENT_RETENTION_DAYS: number }>,
  http: Http,
  { name, authenticator, metrics, subscriptions = [] }: EventingOptions,
): Eventing {
  const { broker } = world
  const sequencer = createSequencer(world)
  const retention = createEventRetention(world)
  const bell = createBell(world, EVENTS_CHANNEL)
  const logId = createLogId(world)
  const feed = addFeed(http, { world, authenticator, bell, source: `/${name}`, logId })
  const brokering = broker && createBrokering(world, { name, broker, bell, logId, metrics })
  const readers = subscriptions.map((options) =>
    createSubscription(world, options, brokering?.pagesOf(options)),
  )

  addAdministration(http, { world, authenticator, readers })
  return {
    sequencer,
    tail: createEventTail(world, bell),
    start() {
      sequencer.start()
      retention.start()
      brokering?.start()
      for (const reader of readers) reader.start()
    },
    drain: feed.drain,
    async stop() {
      bell.stop()
      await Promise.all([...readers, ...(brokering ? [brokering] : [])].map(({ stop }) => stop()))
      await retention.stop()
      await sequencer.stop()
    },
  }
}

type Administration = {
  world: Pick<World<unknown>, 'db'>
  authenticator: Pick<Authenticator, 'admin'>
  readers: Subscription[]
}

function addAdministration(http: Http, { world, authenticator, readers }: Administration): void {
  http.openapi(routes.subscribers, async (c) => {
    await authenticator.admin(c.req.raw)
    const { newest, subscribers } = await readSubscribers(world.db)
    const data = subscribers.map((each) => ({ ...each, seen_at: each.seen_at.toISOString() }))
    return c.json({ newest, data }, 200)
  })

  http.openapi(routes.list, async (c) => {
    await authenticator.admin(c.req.raw)
    const rows = await listSetAside(world.db, { limit: MAX_LISTED })
    const data = rows.map(({ time: _time, set_aside_at, ...event }) => ({
      ...event,
      set_aside_at: set_aside_at.toISOString(),
    }))
    return c.json({ data }, 200)
  })

  http.openapi(routes.replay, async (c) => {
    await authenticator.admin(c.req.raw)
    const { source, subject } = c.req.valid('json')
    const reader = readers.find((each) => each.source === source)
    if (reader === undefined) throw new Problem('not_found', 'Source not found')
    const replayed = await reader.replay(subject).catch((error: unknown) => {
      if (isOutage(error)) throw error
      throw stillFails(error)
    })
    return c.json({ replayed }, 200)
  })
}

const stillFails = (error: unknown) =>
  new Problem('conflict', 'The event still cannot be applied', {
    code: 'event_fails',
    detail: error instanceof Error ? error.message : String(error),
  })
