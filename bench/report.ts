/** Owns how figures are told on the terminal and in Markdown. */
import { milliseconds, whole } from './format.ts'
import type { Figures } from './measure.ts'

/** The figures of one target at one connection count. */
export type Row = { target: string; connections: number; figures: Figures }

/** Lines of a table whose columns are as wide as their widest cell; numbers stand to the right. */
export function textTable(rows: string[][]): string[] {
  const widths = rows.reduce<number[]>(
    (sofar, row) => row.map((cell, index) => Math.max(sofar[index] ?? 0, cell.length)),
    [],
  )
  return rows.map((row) =>
    row
      .map((cell, index) => {
        const width = widths[index] ?? 0
        return index === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd(),
  )
}

const PROCESSES = ['users', 'products', 'orders', 'payments', 'provider', 'gateway', 'services']
const COLUMNS = [...PROCESSES, 'postgres', 'limit', 'load']

/** Cells of the table of all rows: rates and latencies, then CPU-ms a request for each process. */
export function toCells(rows: Row[]): string[][] {
  const seen = COLUMNS.filter((name) =>
    rows.some(({ figures }) => (figures.cpuMs[name] ?? 0) >= 0.0005),
  )
  const head = ['what', 'connections', '1/s', 'runs', 'p50 ms', 'p99 ms', ...seen, 'all CPU-ms']
  return [head, ...rows.map((row) => toRow(row, seen))]
}

function toRow({ target, connections, figures }: Row, columns: string[]): string[] {
  const { perSecond, runs, p50Ms, p99Ms, cpuMs } = figures
  const all = Object.values(cpuMs).reduce((sum, each) => sum + each, 0)
  return [
    target,
    String(connections),
    whole(perSecond),
    range(runs),
    milliseconds(p50Ms),
    milliseconds(p99Ms),
    ...columns.map((name) => (cpuMs[name] === undefined ? '' : cpuMs[name].toFixed(3))),
    all.toFixed(3),
  ]
}

// How far runs of one thing lie apart says what a difference between two things is worth.
function range(runs: number[]): string {
  const [least, most] = [Math.min(...runs), Math.max(...runs)].map(whole)
  return least === most ? '' : `${least}–${most}`
}

/** A line for each row with answers that were no success. */
export function describeOthers(rows: Row[]): string[] {
  return rows.flatMap(({ target, connections, figures: { others } }) => {
    const told = Object.entries(others).map(([status, count]) => `${whole(count)} × ${status}`)
    if (told.length === 0) return []
    return [
      `No success, and not counted: ${target}, ${connections} connections: ${told.join(', ')}`,
    ]
  })
}
