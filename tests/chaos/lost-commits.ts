/** Owns striking between a commit and its answer: what a stopped process has sent is committed, and it never reads that. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Superuser } from './superuser.ts'
import type { Target } from './victims.ts'

const TRIES = 40
// What was on its way to PostgreSQL when the process was stopped is committed by then.
const COMMITTING_MS = 8
const GO_ON_MS = 15
/** A process takes a moment to stop: commits before that may have been read. */
const STOPPING_MS = 1

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Stops the process again and again until a commit of its falls into the stop, and kills it then. Gives
 * how many commits ended after it was stopped: their answers were never read.
 */
export async function killAfterCommit(
  target: Target,
  database: string,
  superuser: Superuser,
): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const ports = portsOf(target.pid)
    target.signal('SIGSTOP')
    const stoppedMs = Date.now() + STOPPING_MS
    await sleep(COMMITTING_MS)
    const lost = await committedSince(superuser, database, ports, stoppedMs).catch(() => 0)
    if (lost > 0) {
      target.signal('SIGKILL')
      return lost
    }
    target.signal('SIGCONT')
    await sleep(GO_ON_MS)
  }
  target.signal('SIGKILL')
  return 0
}

// A session that is idle after a COMMIT has ended it, and sent the answer, at state_change.
async function committedSince(
  superuser: Superuser,
  database: string,
  ports: number[],
  sinceMs: number,
): Promise<number> {
  const [row] = await superuser.query<{ count: number }>(
    database,
    `select count(*) from pg_stat_activity
     where datname = current_database() and client_port = any($1) and state = 'idle'
       and query ilike 'commit%' and state_change > to_timestamp($2::float8 / 1000)`,
    [ports, sinceMs],
  )
  return row?.count ?? 0
}

/** The local ports of a process's connections, by which PostgreSQL knows its sessions. Linux tells them. */
function portsOf(pid: number): number[] {
  try {
    const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`)
      } catch {
        return '' // closed meanwhile
      }
    })
    const sockets = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []))
    const lines = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n').slice(1)
    return lines.flatMap((line) => {
      const fields = line.trim().split(/\s+/)
      if (!sockets.has(fields[9] ?? '')) return []
      return [Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)]
    })
  } catch {
    return []
  }
}
