/** Owns a subscription: one replica at a time reads another service's events and has them applied, for as long as it lives. */
import { applyPage, replayEvents, type Handler } from './apply-events.ts'
import { createBell, LEASES_CHANNEL, type Bell } from './bell.ts'
import { readFeed, unlessAborted, type FeedOptions } from './feed-reader.ts'
import { releaseLease, takeLease } from './subscription-store.ts'
import type { World } from './world.ts'

export type SubscriptionOptions = FeedOptions & Handler

export type Subscription = {
  source: string
  start: () => void
  /** Ends what is under way, and lets another replica go on at once. */
  stop: () => Promise<void>
  /** Applies what is set aside of one subject, in order; gives how many, or throws the first failure. */
  replay: (subject: string) => Promise<number>
}

type SubscriptionWorld = Pick<
  World<unknown>,
  'db' | 'clock' | 'timers' | 'random' | 'ids' | 'fetch' | 'log'
>

/** A replica that dies or freezes is followed by another after this time. */
const LEASE_MS = 15_000
const MIN_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5_000

/** What the reading replica knows: how far it is, and until when it alone reads. */
type Place = { position: number; leasedUntilMs: number }

/** Subscribes to a service's events. Any number of replicas may: one reads, the others stand by. */
export function createSubscription(
  world: SubscriptionWorld,
  options: SubscriptionOptions,
): Subscription {
  const { clock, log } = world
  const { source } = options
  const holder = world.ids.next('rdr')
  const stopping = new AbortController()
  const { signal } = stopping
  const bell = createBell(world, LEASES_CHANNEL)
  let running: Promise<void> | undefined

  /** Reads and applies one page. Undefined: where it stands must be looked up anew. */
  async function round(known: Place | undefined): Promise<Place | undefined> {
    const isFresh = known !== undefined && known.leasedUntilMs - clock.now() > LEASE_MS / 2
    const place = isFresh ? known : await takeOrAwaitLease(world, { source, holder, bell })
    if (place === undefined) return undefined
    const page = await readFeed(world, options, place.position, signal)
    if (page.position === place.position) return place
    const until = new Date(clock.now() + LEASE_MS)
    const step = { from: place.position, page }
    const position = await applyPage(world, options, { holder, until }, step)
    return position === undefined ? undefined : { position, leasedUntilMs: until.getTime() }
  }

  async function run(): Promise<void> {
    let place: Place | undefined
    for (let failures = 0; !signal.aborted;) {
      try {
        place = await round(place)
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        place = undefined
        failures += 1
        log.warn({ error, source }, 'events could not be read or applied; trying again')
        await backOff(world, signal, failures)
      }
    }
  }

  return {
    source,
    start: () => void (running ??= run()),
    async stop() {
      stopping.abort(new Error('the subscription is stopping'))
      bell.stop()
      await running
      if (running !== undefined) await releaseLease(world.db, source, holder).catch(() => {})
    },
    replay: (subject) => replayEvents(world, options, subject),
  }
}

/** Takes or renews the lease; while it is another's, waits until that runs out or is given back. */
async function takeOrAwaitLease(
  { db, clock }: Pick<World<unknown>, 'db' | 'clock'>,
  { source, holder, bell }: { source: string; holder: string; bell: Bell },
): Promise<Place | undefined> {
  const seen = bell.rings()
  const now = new Date(clock.now())
  const until = new Date(now.getTime() + LEASE_MS)
  const lease = await takeLease(db, { source, holder, now, until })
  const leasedUntilMs = lease.leasedUntil.getTime()
  if (lease.isMine) return { position: lease.position, leasedUntilMs }
  await bell.wait(seen, Math.max(MIN_BACKOFF_MS, leasedUntilMs - clock.now()))
  return undefined
}

/** Waits with jitter, longer after each failure; ends at once when it is stopped. */
async function backOff(
  { timers, random }: Pick<World<unknown>, 'timers' | 'random'>,
  signal: AbortSignal,
  failures: number,
): Promise<void> {
  const ceilingMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** Math.min(failures, 10))
  const over = Promise.withResolvers<void>()
  const cancel = timers.after(ceilingMs * (0.5 + random.fraction() / 2), over.resolve)
  await unlessAborted(signal, over.promise)
    .catch(() => {})
    .finally(cancel)
}
