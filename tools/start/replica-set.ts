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
  const { name, count, start, isHealthy, onChange } = options
  const replicas: KeptProcess[] = []
  const leaving = new Set<KeptProcess>()
  let queue: Promise<unknown> = Promise.resolve()

  function add(): KeptProcess {
    const taken = new Set(replicas.map((replica) => replica.name))
    let number = 1
    while (taken.has(replicaName(name, number))) number += 1
    const replica = start(replicaName(name, number))
    replicas.push(replica)
    return replica
  }

  function remove(replica: KeptProcess): void {
    leaving.delete(replica)
    replicas.splice(replicas.indexOf(replica), 1)
    onChange()
  }

  async function addReady(report: Report): Promise<void> {
    const added = add()
    leaving.add(added) // takes no work before it is healthy
    try {
      await added.ready
      if (!(await isHealthy(added))) throw new Explained(`${added.name} does not become ready.`)
    } catch (error) {
      await added.stop()
      remove(added)
      throw error
    }
    leaving.delete(added)
    onChange()
    report(`${added.name} is ready (pid ${added.pid()})`)
  }

  async function retire(replica: KeptProcess, report: Report): Promise<void> {
    const pid = replica.pid()
    leaving.add(replica)
    onChange() // nobody sends it anything new; what it has, it ends
    await replica.drain()
    remove(replica)
    report(`${replica.name} has ended (pid ${pid})`)
  }

  // One change at a time, whoever asks.
  function inTurn(change: () => Promise<void>): Promise<void> {
    const done = queue.then(change)
    queue = done.catch(() => {})
    return done
  }

  for (let n = 0; n < count; n += 1) add()
  return {
    all: () => [...replicas],
    serving: () => replicas.filter((each) => each.port() !== undefined && !leaving.has(each)),
    ready: Promise.all(replicas.map(({ ready }) => ready)).then(() => {}),
    restart: (report) =>
      inTurn(async () => {
        for (const old of [...replicas]) {
          await addReady(report)
          await retire(old, report)
        }
      }),
    scale: (wanted, report) =>
      inTurn(async () => {
        while (replicas.length < wanted) await addReady(report)
        for (const youngest of replicas.slice(wanted)) await retire(youngest, report)
      }),
    async stop() {
      await Promise.all(replicas.map((replica) => replica.stop()))
    },
  }
}

const replicaName = (name: string, number: number) => (number === 1 ? name : `${name}-${number}`)
