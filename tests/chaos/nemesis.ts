/** Owns the nemesis: it deals the planned blows while the load goes on, and leaves nothing stopped behind. */
import type { Servers } from '../nats/servers.ts'
import type { Blow, Struck } from './blows.ts'
import type { StruckBlow } from './history.ts'
import { killAfterCommit } from './lost-commits.ts'
import type { Pace } from './pace.ts'
import { APPLICATION, type Superuser } from './superuser.ts'
import type { Target, Victims } from './victims.ts'

export type Nemesis = {
  /** Resolves when all blows have fallen, and all that was stopped goes on. */
  done: Promise<void>
  fallen: () => number
  struck: StruckBlow[]
  /** Commits that a process which was killed did not read the answer of, by service. */
  lostCommits: Map<string, number>
}

export type NemesisOptions = {
  blows: Blow[]
  victims: Victims
  nats: Servers | undefined
  superuser: Superuser
  pace: Pace
  signal: AbortSignal
}

const AT_ONCE = 3
const FIND_AGAIN_MS = 100
/** Of each tenth of a second a slow one runs for a fifth. */
const SLOW_MS = { stopped: 80, running: 20 }

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export function startNemesis(options: NemesisOptions): Nemesis {
  const { blows, pace, signal } = options
  const struck: StruckBlow[] = []
  const lostCommits = new Map<string, number>()
  const busy = new Set<string>()
  const underWay = new Set<Promise<void>>()
  let fallen = 0

  async function deal(blow: Blow): Promise<void> {
    const target = await findFree(options, blow, busy)
    if (target === undefined) return
    busy.add(target.name)
    const told = { number: blow.number, what: `${target.name} ${blow.way}`, fromMs: Date.now() }
    const told2 = { ...told, toMs: Infinity }
    struck.push(told2)
    try {
      const lost = await strike(options, blow, target)
      lostCommits.set(blow.victim, (lostCommits.get(blow.victim) ?? 0) + lost)
    } finally {
      told2.toMs = Date.now()
      busy.delete(target.name)
    }
  }

  async function run(): Promise<void> {
    for (const blow of blows) {
      await pace.begun(blow.afterOrders)
      await sleep(blow.gapMs)
      if (signal.aborted) break
      const dealing = deal(blow).finally(() => underWay.delete(dealing))
      underWay.add(dealing)
      fallen += 1
      pace.fell()
      if (underWay.size >= AT_ONCE) await Promise.race(underWay)
    }
    await Promise.all(underWay)
  }
  return { done: run(), fallen: () => fallen, struck, lostCommits }
}

/** Waits until there is somebody to strike whom no other blow is striking. */
async function findFree(
  { victims, signal }: NemesisOptions,
  { victim, which }: Blow,
  busy: ReadonlySet<string>,
): Promise<Target | undefined> {
  while (!signal.aborted) {
    const target = victims.find(victim, which)
    if (target !== undefined && !busy.has(target.name)) return target
    await sleep(FIND_AGAIN_MS)
  }
  return undefined
}

/** Strikes, and resolves when the blow is over; gives how many commits lost their answer. */
async function strike(options: NemesisOptions, blow: Blow, target: Target): Promise<number> {
  const { superuser, nats, signal } = options
  const { victim, way, lengthMs } = blow
  switch (way) {
    case 'killed':
      target.signal('SIGKILL')
      if (victim === 'nats') await startAgain(nats, lengthMs)
      return 0
    case 'wiped':
      await nats?.wipe()
      return 0
    case 'lostCommit':
      return killAfterCommit(target, victim, superuser)
    case 'frozen':
      target.signal('SIGSTOP')
      await sleep(lengthMs)
      target.signal('SIGCONT')
      return 0
    case 'slow':
      for (const endMs = Date.now() + lengthMs; Date.now() < endMs && !signal.aborted;) {
        target.signal('SIGSTOP')
        await sleep(SLOW_MS.stopped)
        target.signal('SIGCONT')
        await sleep(SLOW_MS.running)
      }
      return 0
    case 'cut':
      await cutConnections(superuser, victim)
      return 0
    case 'backendKilled':
      await killBackend(options, blow)
      return 0
  }
}

async function startAgain(nats: Servers | undefined, afterMs: number): Promise<void> {
  await sleep(afterMs)
  await nats?.start(0)
}

const cutConnections = (superuser: Superuser, database: Struck) =>
  superuser
    .query(
      database,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name <> $1`,
      [APPLICATION],
    )
    .catch(() => {}) // PostgreSQL is away: so are the connections

/** One that is committing, if there is any; else any. */
async function killBackend({ superuser, victims }: NemesisOptions, { which }: Blow): Promise<void> {
  const rows = await superuser
    .query<{ pid: number }>(
      'orders',
      `select pid from pg_stat_activity
       where backend_type = 'client backend' and application_name <> $1
       order by (state = 'active' and query ilike 'commit%') desc, hashtext(pid::text || $2) limit 1`,
      [APPLICATION, String(which)],
    )
    .catch(() => [])
  const [row] = rows
  if (row !== undefined) victims.findBackend(row.pid)?.signal('SIGKILL')
}
