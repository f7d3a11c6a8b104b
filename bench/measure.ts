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
  /** `perSecond` of each run that these figures are the mean of. */
  runs: number[]
  p50Ms: number
  p99Ms: number
  /** CPU milliseconds a success, by process. */
  cpuMs: Record<string, number>
  /** What came instead of a success, by status or as `failed`, and how often. */
  others: Record<string, number>
}

// What was under way when the generator hung up comes to its end.
const QUIET_MS = 300

/** Measures a target once. Throws when nothing that came back is a success. */
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
  const perSecond = (successes * 1_000) / result.durationMs
  return {
    perSecond,
    runs: [perSecond],
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    cpuMs: Object.fromEntries(cpuMs),
    others: othersOf(target, result),
  }
}

function countSuccesses({ name, success }: Target, result: LoadResult): number {
  const { requests, failed, statuses, example = '' } = result
  const successes =
    success === undefined ? Math.max(0, requests - failed) : (statuses[success] ?? 0)
  if (successes > 0) return successes
  const told = JSON.stringify(statuses)
  throw new Error(`${name}: no success in ${requests} requests ${told} ${example}`)
}

/** What was no success: statuses where they are counted, and what failed without one. */
export function othersOf(
  { success }: Pick<Target, 'success'>,
  { statuses, failed }: Pick<LoadResult, 'statuses' | 'failed'>,
): Record<string, number> {
  const isFailure = (status: number) => status === 0 || status >= 400
  const others = Object.entries(statuses).filter(([status]) =>
    success === undefined ? isFailure(Number(status)) : Number(status) !== success,
  )
  const told = others.filter(([status]) => isFailure(Number(status)))
  const untold = failed - told.reduce((sum, [, count]) => sum + count, 0)
  return Object.fromEntries(untold > 0 ? [...others, ['failed', untold]] : others)
}

/** The figures of several runs as one: rates and times as their mean. */
export function together(runs: Figures[]): Figures {
  const mean = (pick: (figures: Figures) => number) =>
    runs.reduce((sum, each) => sum + pick(each), 0) / runs.length
  const names = new Set(runs.flatMap(({ cpuMs }) => Object.keys(cpuMs)))
  const statuses = new Set(runs.flatMap(({ others }) => Object.keys(others)))
  const total = (status: string) => runs.reduce((sum, { others }) => sum + (others[status] ?? 0), 0)
  return {
    perSecond: mean(({ perSecond }) => perSecond),
    runs: runs.flatMap((each) => each.runs),
    p50Ms: mean(({ p50Ms }) => p50Ms),
    p99Ms: mean(({ p99Ms }) => p99Ms),
    cpuMs: Object.fromEntries(
      [...names].map((name) => [name, mean(({ cpuMs }) => cpuMs[name] ?? 0)]),
    ),
    others: Object.fromEntries([...statuses].map((status) => [status, total(status)])),
  }
}
