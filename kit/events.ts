/** Owns the event log: appended in the transaction of the change, numbered without gaps after the commit. */
import { EVENTS_CHANNEL } from './bell.ts'
import type { Transaction } from './postgres.ts'
import type { World } from './world.ts'

/** What a change has to say. `type` is in the past tense with a version, such as `user.erased.v1`. */
export type NewEvent = { type: string; subject: string; data: Record<string, unknown> }

/** Appends events to the outbox, as they stand, in the caller's transaction. Ring the sequencer after it. */
export function appendEvents(
  tx: Transaction,
  { ids, clock }: Pick<World<unknown>, 'ids' | 'clock'>,
  events: NewEvent[],
): void {
  if (events.length === 0) return
  tx.send(
    `insert into outbox (id, type, subject, time, data)
     select id, type, subject, $4, data
     from unnest($1::text[], $2::text[], $3::text[], $5::jsonb[])
       with ordinality as new (id, type, subject, data, place)
     order by place`,
    [
      events.map(() => ids.next('evt')),
      events.map((event) => event.type),
      events.map((event) => event.subject),
      new Date(clock.now()),
      events.map((event) => JSON.stringify(event.data)),
    ],
  )
}

export type Sequencer = {
  /** Says that events were committed. Returns at once; the rings of 10 ms make one run. */
  ring: () => void
  start: () => void
  /** Waits for the run in progress, and numbers what was rung for since. */
  stop: () => Promise<void>
}

const BATCH_SIZE = 1_000
// Rings cover this replica's own commits; the sweep finds what a dead replica left in the outbox.
const SWEEP_MS = 5_000
// Whoever numbers now may have looked before our commit.
const BUSY_RETRY_MS = 20
// Nobody waits for a number: what is appended meanwhile is numbered by the same commit, and the commits
// that a customer does wait for go first.
const GATHER_MS = 10

/** Numbers this service's events. Any number of replicas may run one: a lock lets one at a time. */
export function createSequencer(world: Pick<World<unknown>, 'db' | 'timers' | 'log'>): Sequencer {
  let running: Promise<void> | undefined
  let rung = false
  let stopped = true
  let cancelSweep = () => {}
  let cancelRetry = () => {}
  let gathering = false
  let cancelGathering = () => {}

  const waits = (error: unknown) => world.log.warn({ error }, 'events wait to be numbered')

  async function drain(): Promise<void> {
    let moved: number | 'busy'
    do {
      rung = false
      moved = await world.db.transaction(moveOutbox)
    } while (moved === BATCH_SIZE)
    if (moved !== 'busy' || stopped) return
    cancelRetry()
    cancelRetry = world.timers.after(BUSY_RETRY_MS, number)
  }

  function ring(): void {
    rung = true
    if (stopped || running !== undefined || gathering) return
    gathering = true
    cancelGathering = world.timers.after(GATHER_MS, number)
  }

  function number(): void {
    gathering = false
    rung = true
    if (stopped || running !== undefined) return
    running = drain()
      .catch(waits)
      .finally(() => {
        running = undefined
        if (rung && !stopped) ring()
      })
  }

  function sweep(): void {
    cancelSweep = world.timers.after(SWEEP_MS, () => {
      number()
      sweep()
    })
  }

  return {
    ring,
    start() {
      stopped = false
      number()
      sweep()
    },
    async stop() {
      stopped = true
      cancelSweep()
      cancelRetry()
      cancelGathering()
      await running
      // What was rung for in the last moment, so that it needn't wait for another's sweep.
      if (rung) await drain().catch(waits)
    },
  }
}

/**
 * Moves up to 1,000 outbox rows to `events` and numbers them 1, 2, 3 … by their
 * positions. Returns how many; 0 while another replica is at it.
 */
export async function sequenceOutbox(tx: Transaction): Promise<number> {
  const moved = await moveOutbox(tx)
  return moved === 'busy' ? 0 : moved
}

async function moveOutbox(tx: Transaction): Promise<number | 'busy'> {
  const [lock] = await tx.query<{ taken: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('sequencer')) as taken`,
  )
  if (lock?.taken !== true) return 'busy'
  // A later statement, so that its snapshot is newer than the lock.
  const [moved] = await tx.query<{ count: number }>(
    `with taken as (
       delete from outbox where position in (select position from outbox order by position limit $1)
       returning *
     ), counter as (
       update event_counter set last_sequence = last_sequence + (select count(*) from taken)
       where exists (select from taken)
       returning last_sequence - (select count(*) from taken) as base
     ), numbered as (
       insert into events (sequence, id, type, subject, time, data)
       select base + row_number() over (order by position), id, type, subject, time, data
       from taken, counter
     )
     select count(*) from taken`,
    [BATCH_SIZE],
  )
  const count = moved?.count ?? 0
  if (count > 0) tx.send('select pg_notify($1, null)', [EVENTS_CHANNEL])
  return count
}
