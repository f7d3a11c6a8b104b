/** Owns the replicas of one service: how many run, which of them are served, and their replacement one by one. */
import { Explained } from '../explained.ts'
import type { KeptProcess } from './kept-process.ts'

export type ReplicaSet = {
  /** All that run, the oldest first; also those that are starting or leaving. */
  all: () => KeptProcess[]
  /** Those that take work: ready, and not leaving. */
  serving: () => KeptProcess[]
  /** Resolves when all of the first replicas are ready. */
  ready: Promise<void>
  /** Replaces each by a new one that is ready before the old one stops; no request fails. */
  restart: (report: Report) => Promise<void>
  /** Adds replicas, or lets the youngest leave. */
  scale: (count: number, report: Report) => Promise<void>
  stop: () => Promise<void>
}

/** A line for whoever asked. */
export type Report = (line: string) => void

export type ReplicaSetOptions = {
  name: string
  count: number
  /** Starts a replica of this name: `orders`, `orders-2`, … */
  start: (replica: string) => KeptProcess
  /** Whether a replica that listens is healthy; waited for before an old one goes. */
  isHealthy: (replica: KeptProcess) => Promise<boolean>
  /** Which replicas serve has changed. */
  onChange: () => void
}

export const MAX_REPLICAS = 8

/** Starts `count` replicas. */
export function createReplicaSet(options: ReplicaSetOptions): ReplicaSet {
  const members = createMembers(options)
  let queue: Promise<unknown> = Promise.resolve()

  // One change at a time, whoever asks.
  function inTurn(change: () => Promise<void>): Promise<void> {
    const done = queue.then(change)
    queue = done.catch(() => {})
    return done
  }

  for (let n = 0; n < options.count; n += 1) members.add()
  const firstOnes = members.all().map(({ ready }) => ready)
  return {
    all: members.all,
    serving: members.serving,
    ready: Promise.all(firstOnes).then(() => undefined),
    restart: (report) => inTurn(() => replaceAll(members, options, report)),
    scale: (wanted, report) =>
      inTurn(async () => {
        while (members.all().length < wanted) await addReady(members, options, report)
        for (const youngest of members.all().slice(wanted)) await retire(members, youngest, report)
      }),
    async stop() {
      members.end()
      await Promise.all(members.all().map((replica) => replica.stop()))
    },
  }
}

type Members = {
  all: () => KeptProcess[]
  serving: () => KeptProcess[]
  /** Throws after `end`: a change that was under way must not start what nobody would stop. */
  add: () => KeptProcess
  end: () => void
  remove: (replica: KeptProcess) => void
  /** Whether it takes work as soon as it can. */
  setServing: (replica: KeptProcess, serves: boolean) => void
}

function createMembers({ name, start, onChange }: ReplicaSetOptions): Members {
  const replicas: KeptProcess[] = []
  const aside = new Set<KeptProcess>()
  let hasEnded = false
  return {
    all: () => [...replicas],
    serving: () => replicas.filter((each) => each.port() !== undefined && !aside.has(each)),
    end() {
      hasEnded = true
    },
    add() {
      if (hasEnded) throw new Explained(`${name} is being stopped.`)
      const taken = new Set(replicas.map((replica) => replica.name))
      let number = 1
      while (taken.has(replicaName(name, number))) number += 1
      const replica = start(replicaName(name, number))
      replicas.push(replica)
      return replica
    },
    remove(replica) {
      aside.delete(replica)
      replicas.splice(replicas.indexOf(replica), 1)
      onChange()
    },
    setServing(replica, serves) {
      if (serves) aside.delete(replica)
      else aside.add(replica)
      onChange()
    },
  }
}

const replicaName = (name: string, number: number) => (number === 1 ? name : `${name}-${number}`)

async function addReady(
  members: Members,
  { isHealthy }: ReplicaSetOptions,
  report: Report,
): Promise<void> {
  const added = members.add()
  members.setServing(added, false) // not before it is healthy
  try {
    await added.ready
    if (!(await isHealthy(added))) throw new Explained(`${added.name} does not become ready.`)
  } catch (error) {
    await added.stop()
    members.remove(added)
    throw error
  }
  members.setServing(added, true)
  report(`${added.name} is ready (pid ${added.pid()})`)
}

// The next one starts while the one before is still leaving, which takes about as long.
async function replaceAll(
  members: Members,
  options: ReplicaSetOptions,
  report: Report,
): Promise<void> {
  let leaving = Promise.resolve()
  try {
    for (const old of members.all()) {
      await addReady(members, options, report).catch((error: unknown) => {
        if (!(error instanceof Explained)) throw error
        throw new Explained(`${error.message}\n${old.name} stays as it is.`, { cause: error })
      })
      await leaving
      leaving = retire(members, old, report)
    }
  } finally {
    await leaving
  }
}

async function retire(members: Members, replica: KeptProcess, report: Report): Promise<void> {
  const pid = replica.pid()
  members.setServing(replica, false) // nobody sends it anything new; what it has, it ends
  await replica.drain()
  members.remove(replica)
  report(`${replica.name} has ended (pid ${pid})`)
}
