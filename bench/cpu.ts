/** Owns CPU time: what each process of a shop, its PostgreSQL and the load generator have used so far. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inData } from '../tools/postgres/data-folder.ts'
import type { Shop } from '../tools/start/shop.ts'

const TICK_MS = 10 // of /proc/<pid>/stat: USER_HZ is 100 on every Linux that we run on

/** CPU milliseconds by name of process. */
export type CpuMs = Map<string, number>

/** Whose time is read: processes by name, and PostgreSQL by the data folder of its shop. */
export type Watched = { shop?: Shop; postgresOf?: string; pids?: Record<string, number> }

/** What has been used so far, by the load generators too; empty where the system does not tell. */
export function readCpu({ shop, postgresOf = shop?.dataDir, pids = {} }: Watched): CpuMs {
  const used: CpuMs = new Map()
  if (process.platform !== 'linux') return used
  const processes = [...(shop === undefined ? [] : processesOf(shop)), ...Object.entries(pids)]
  for (const [name, pid] of processes) used.set(name, (used.get(name) ?? 0) + usedBy(pid).ownMs)
  if (postgresOf !== undefined) used.set('postgres', usedByPostgres(postgresOf))
  // Generators are the only children that this process waits for while it measures.
  used.set('load', usedBy(process.pid).endedChildrenMs)
  return used
}

/** What was used between two readings. */
export function cpuBetween(before: CpuMs, after: CpuMs): CpuMs {
  return new Map([...after].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)]))
}

// Services that share a process are told as one, and so are the replicas of a service.
function processesOf({ processes }: Shop): [string, number][] {
  const names = new Map<number, string>()
  for (const [name, kept] of processes) {
    const pid = kept.pid()
    if (pid === undefined) continue
    names.set(pid, names.has(pid) ? 'services' : name.replace(/-\d+$/, ''))
  }
  return [...names].map(([pid, name]) => [name, pid])
}

// The postmaster, its living children, and those that have ended.
function usedByPostgres(dataDir: string): number {
  const pidFile = join(inData.cluster(dataDir), 'postmaster.pid')
  const postmaster = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  const { ownMs, endedChildrenMs } = usedBy(postmaster)
  return childrenOf(postmaster).reduce(
    (sum, pid) => sum + usedBy(pid).ownMs,
    ownMs + endedChildrenMs,
  )
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
  return pids.filter((pid) => Number(statOf(pid)[1]) === parent)
}

function usedBy(pid: number): { ownMs: number; endedChildrenMs: number } {
  const [user, system, childrenUser, childrenSystem] = statOf(pid).slice(11, 15).map(Number)
  return {
    ownMs: ((user ?? 0) + (system ?? 0)) * TICK_MS,
    endedChildrenMs: ((childrenUser ?? 0) + (childrenSystem ?? 0)) * TICK_MS,
  }
}

// What follows the name in /proc/<pid>/stat, beginning with the state; none when it has just ended.
function statOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  } catch {
    return []
  }
}
