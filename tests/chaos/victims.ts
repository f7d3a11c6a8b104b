/** Owns who can be struck: the processes of this run, by name, and the signals that they get; nobody else's. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inData } from '../../tools/postgres/data-folder.ts'
import { commandOf, isAlive } from '../../tools/processes.ts'
import type { Shop } from '../../tools/start/shop.ts'
import type { Servers } from '../nats/servers.ts'
import type { Struck } from './blows.ts'

/** One process, or PostgreSQL with all its processes; `signal` reaches it as long as it is the same. */
export type Target = { name: string; pid: number; signal: (name: NodeJS.Signals) => void }

export type Victims = {
  /** A target of this kind, chosen by `which` in [0, 1); undefined while there is none. */
  find: (victim: Struck, which: number) => Target | undefined
  /** One of PostgreSQL's processes that serve a connection. */
  findBackend: (pid: number) => Target | undefined
  /** PostgreSQL's first process. */
  postmaster: () => Target | undefined
}

export function findVictims(shop: Shop, nats: Servers | undefined): Victims {
  const folder = inData.cluster(shop.dataDir)
  const postmaster = () => {
    const pid = readPid(folder)
    if (pid === undefined) return undefined
    const isStill = () => readPid(folder) === pid
    return { name: 'postgres', pid, signal: signalWhile(isStill, pid) }
  }
  return {
    postmaster,
    find(victim, which) {
      if (victim === 'nats') return nats && { name: 'nats', pid: 0, signal: signalNats(nats) }
      if (victim === 'postgres') return wholePostgres(postmaster())
      return findReplica(shop, victim, which)
    },
    findBackend(pid) {
      const parent = postmaster()
      if (parent === undefined || !childrenOf(parent.pid).includes(pid)) return undefined
      const isStill = () => childrenOf(parent.pid).includes(pid)
      return { name: `postgres backend ${pid}`, pid, signal: signalWhile(isStill, pid) }
    },
  }
}

function findReplica(shop: Shop, victim: Struck, which: number): Target | undefined {
  const isOne = (name: string) => name === victim || name.startsWith(`${victim}-`)
  const replicas = [...shop.processes.values()].filter(
    (each) => isOne(each.name) && each.pid() !== undefined && each.port() !== undefined,
  )
  // The provider tells no port of its own.
  const one =
    victim === 'provider'
      ? [...shop.processes.values()].find(({ name }) => name === victim)
      : replicas[Math.floor(which * replicas.length)]
  const pid = one?.pid()
  if (one === undefined || pid === undefined) return undefined
  return { name: one.name, pid, signal: signalWhile(() => one.pid() === pid, pid) }
}

const signalWhile = (isStill: () => boolean, pid: number) => (name: NodeJS.Signals) => {
  if (isStill()) kill(pid, name)
}

function kill(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

const signalNats = (nats: Servers) => (name: NodeJS.Signals) => void nats.signal(0, name)

function wholePostgres(postmaster: Target | undefined): Target | undefined {
  if (postmaster === undefined) return undefined
  let stopped: number[] = []
  return {
    ...postmaster,
    signal(name) {
      if (name === 'SIGSTOP') {
        postmaster.signal(name) // first, so that it starts no more
        stopped = childrenOf(postmaster.pid)
        for (const pid of stopped) kill(pid, name)
        return
      }
      if (name === 'SIGKILL') return postmaster.signal(name) // the others see that it is gone
      for (const pid of stopped) if (commandOf(pid).includes('postgres')) kill(pid, name)
      postmaster.signal(name)
    },
  }
}

function readPid(folder: string): number | undefined {
  const file = join(folder, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
  const isOurs = Number.isInteger(pid) && pid > 1 && isAlive(pid) && commandOf(pid).includes(folder)
  return isOurs ? pid : undefined
}

function childrenOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n')
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []))
}
