/** Owns how long events are kept: the log grows by parts of a million, and old parts are dropped whole. */
import type { Tx } from './postgres.ts'
import { createRounds, type Rounds } from './rounds.ts'
import type { World } from './world.ts'

/** Events in a part of the log; the migration that made the log knows it too. */
const PART_SIZE = 1_000_000
/** How often it is looked after: far sooner than a part is full. */
const ROUND_MS = 60_000
const DAY_MS = 24 * 3_600_000

type RetentionWorld = Pick<
  World<{ EVENT_RETENTION_DAYS: number }>,
  'config' | 'db' | 'clock' | 'timers' | 'log'
>

/** Rounds that look after the log; any number of replicas may, a lock lets one at a time. */
export function createEventRetention(world: RetentionWorld): Rounds {
  return createRounds(world, {
    name: 'event retention',
    pollMs: ROUND_MS,
    minWaitMs: 0,
    async run() {
      await keepLog(world)
      return null
    },
  })
}

/**
 * Makes the next part before the last one is begun, and drops whole parts of which every event is
 * older than EVENT_RETENTION_DAYS and acknowledged by every subscriber.
 */
export async function keepLog({ db, clock, config }: RetentionWorld): Promise<void> {
  const before = new Date(clock.now() - config.EVENT_RETENTION_DAYS * DAY_MS)
  await db.transaction(async (tx) => {
    const [lock] = await tx.query<{ taken: boolean }>(
      `select pg_try_advisory_xact_lock(hashtext('event retention')) as taken`,
    )
    if (lock?.taken !== true) return
    const parts = await readParts(tx)
    const end = Math.max(...parts.map((part) => part.end))
    const { newest, acknowledged } = await readProgress(tx)
    if (newest >= end - PART_SIZE) await addPart(tx, end)
    const done = parts.filter((part) => part.end <= Math.min(newest, acknowledged) + 1)
    for (const { name } of done) {
      const [last] = await tx.query<{ time: Date }>(
        `select time from ${name} order by sequence desc limit 1`,
      )
      if (last === undefined || last.time < before) await tx.query(`drop table ${name}`)
    }
  })
}

/** A part of the log: its table, and the number that its events stay below. */
type Part = { name: string; end: number }

async function readParts(tx: Tx): Promise<Part[]> {
  return tx.query<Part>(
    `select relname as name,
       (regexp_match(pg_get_expr(relpartbound, oid), 'TO \\(''(\\d+)''\\)'))[1]::bigint as end
     from pg_class where oid in (select inhrelid from pg_inherits where inhparent = 'events'::regclass)
     order by 2`,
  )
}

/** The newest event's number, and up to which all is acknowledged: by nobody's wish, all. */
async function readProgress(tx: Tx): Promise<{ newest: number; acknowledged: number }> {
  const [row] = await tx.query<{ newest: number; acknowledged: number | null }>(
    `select (select last_sequence from event_counter) as newest,
       (select min(acknowledged) from subscribers) as acknowledged`,
  )
  const newest = row?.newest ?? 0
  return { newest, acknowledged: row?.acknowledged ?? newest }
}

async function addPart(tx: Tx, from: number): Promise<void> {
  await tx.query(
    `create table events_${from} partition of events for values from (${from}) to (${from + PART_SIZE})`,
  )
}
