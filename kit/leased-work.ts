/** Owns work that goes on from a position in a log: one replica at a time does it, the others stand by. */
import { createBackOff, type BackOffWords } from './back-off.ts'
import { createBell, LEASES_CHANNEL } from './bell.ts'
import { releaseLease, takeLease, type PositionKey, type Renewal } from './positions.ts'
import type { World } from './world.ts'

export type LeasedWork = {
  start: () => void
  /** Ends what is under way, and lets another replica go on at once. */
  stop: () => Promise<void>
}

/** What a step begins with. Whoever moves the position renews the lease with it. */
export type Turn = { position: number; renew: () => Renewal; stopping: AbortSignal }

export type LeasedWorkOptions = {
  key: PositionKey
  /**
   * Does what comes next; gives the position after it, the same where nothing came for some seconds,
   * or undefined when another replica had moved it.
   */
  step: (turn: Turn) => Promise<number | undefined>
  /** Called when another replica has the lease, and at the end. */
  standBy?: () => void
  words: BackOffWords
}

type LeasedWorkWorld = Pick<World<unknown>, 'db' | 'clock' | 'timers' | 'random' | 'ids' | 'log'>

/** A replica that dies or freezes is followed by another after this time. */
const LEASE_MS = 15_000
/** A lease that runs out this very moment is not asked for in a loop. */
const MIN_WAIT_MS = 100

/** What the replica that works knows: how far it is, and until when it alone goes on. */
type Place = { position: number; leasedUntilMs: number }

/** Any number of replicas may do it: safety never rests on the lease, which only saves work. */
export function createLeasedWork(
  world: LeasedWorkWorld,
  { key, step, standBy, words }: LeasedWorkOptions,
): LeasedWork {
  const { db, clock } = world
  const holder = world.ids.next('rpl')
  const abort = new AbortController()
  const stopping = abort.signal
  const bell = createBell(world, LEASES_CHANNEL)
  const backOff = createBackOff(world, words)
  let running: Promise<void> | undefined

  async function round(known: Place | undefined): Promise<Place | undefined> {
    const isFresh = known !== undefined && known.leasedUntilMs - clock.now() > LEASE_MS / 2
    const place = isFresh ? known : await takeOrAwaitLease()
    if (place === undefined) return undefined
    let { leasedUntilMs } = place
    const renew = () => {
      leasedUntilMs = clock.now() + LEASE_MS
      return { holder, until: new Date(leasedUntilMs) }
    }
    const position = await step({ position: place.position, renew, stopping })
    return position === undefined ? undefined : { position, leasedUntilMs }
  }

  /** Undefined: it was another's, until now. */
  async function takeOrAwaitLease(): Promise<Place | undefined> {
    const seen = bell.rings()
    const now = new Date(clock.now())
    const until = new Date(now.getTime() + LEASE_MS)
    const lease = await takeLease(db, key, { holder, now, until })
    const leasedUntilMs = lease.leasedUntil.getTime()
    if (lease.isMine) return { position: lease.position, leasedUntilMs }
    standBy?.()
    await bell.wait(seen, Math.max(MIN_WAIT_MS, leasedUntilMs - clock.now()))
    return undefined
  }

  async function run(): Promise<void> {
    let place: Place | undefined
    while (!stopping.aborted) {
      try {
        place = await round(place)
        backOff.succeeded()
      } catch (error) {
        if (stopping.aborted) break
        place = undefined
        await backOff.failed(error, stopping)
      }
    }
    standBy?.()
  }

  return {
    start: () => void (running ??= run()),
    async stop() {
      abort.abort(new Error('this replica is stopping'))
      bell.stop()
      await running
      if (running !== undefined) await releaseLease(db, key, holder).catch(() => {})
    },
  }
}
