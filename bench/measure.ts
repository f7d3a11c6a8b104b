/** Owns a measurement: load sent to a target, and its figures with the CPU time of every process. */
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuBetween, readCpu, type Watched } from './cpu.ts'
import type { LoadResult } from './load.ts'

export type Amount = { connections: number; seconds: number }

/** What is measured. */
export type Target = {
  /** As it is called in tables. */
  name: string
  send: (amount: Amount) => Promise<LoadResult>
  /** The status of a success; others are told and not counted. Undefined: all but failures. */
  success?: number
  /** Whose CPU time is told. */
  watched: Watched
  /** How much of the time of a measurement it takes. */
  share: number
  /** Only at these connection counts; undefined: at all. */
  counts?: number[]
}

export type Figures = {
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** CPU milliseconds a success, by process. */
  cpuMs: Record<string, number>
  /** How often each status came; empty when only failures were counted. */
  statuses: Record<string, number>
  failed: number
}

// What was under way when the generator hung up comes to its end.
const QUIET_MS = 300

/** Measures a target once. Throws when less than half of what came back is a success. */
export async function measure(target: Target, amount: Amount): Promise<Figures> {
  const before = readCpu(target.watched)
  const result = await target.send({
    ...amount,
    seconds: Math.max(1, Math.round(amount.seconds * target.share)),
  })
  await sleep(QUIET_MS)
  const after = readCpu(target.watched)
  const successes = countSuccesses(target, result)
  const cpuMs = [...cpuBetween(before, after)].map(([name, ms]) => [name, ms / successes] as const)
  return {
    perSecond: (successes * 1_000) / result.durationMs,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    cpuMs: Object.fromEntries(cpuMs),
    statuses: result.statuses,
    failed: result.failed,
  }
}

function countSuccesses({ name, success }: Target, result: LoadResult): number {
  const { requests, failed, statuses, example = '' } = result
  const successes =
    success === undefined ? Math.max(0, requests - failed) : (statuses[success] ?? 0)
  if (successes >= requests * 0.5 && successes > 0) return successes
  const told = JSON.stringify(statuses)
  throw new Error(`${name}: ${successes} successes in ${requests} requests ${told} ${example}`)
}

/** The figures of several runs as one: rates and times as their mean. */
export function together(runs: Figures[]): Figures {
  const mean = (pick: (figures: Figures) => number) =>
    runs.reduce((sum, each) => sum + pick(each), 0) / runs.length
  const names = new Set(runs.flatMap(({ cpuMs }) => Object.keys(cpuMs)))
  const all = new Set(runs.flatMap(({ statuses }) => Object.keys(statuses)))
  const total = (status: string) =>
    runs.reduce((sum, { statuses }) => sum + (statuses[status] ?? 0), 0)
  return {
    perSecond: mean(({ perSecond }) => perSecond),
    p50Ms: mean(({ p50Ms }) => p50Ms),
    p99Ms: mean(({ p99Ms }) => p99Ms),
    cpuMs: Object.fromEntries(
      [...names].map((name) => [name, mean(({ cpuMs }) => cpuMs[name] ?? 0)]),
    ),
    statuses: Object.fromEntries([...all].map((status) => [status, total(status)])),
    failed: runs.reduce((sum, { failed }) => sum + failed, 0),
  }
}
