/** Owns what a run leaves in the repository: its figures as JSON, README's tables, and the chart. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawChart } from './chart.ts'
import type { RoundTrips } from './limits/one-client.ts'
import { describeMachine, type Machine } from './machine.ts'
import { describeOthers, toCells, type Row } from './report.ts'
import { describeTrips, judge, type Verdict } from './targets.ts'

/** All that one run found. */
export type Results = {
  machine: Machine
  seconds: number
  rows: Row[]
  trips: RoundTrips | undefined
}

const [BEGIN, END] = ['<!-- figures: npm run bench -- --write -->', '<!-- end of figures -->']

/** Writes results.json, the part of README.md between its markers, and checkouts.svg. */
export function publish(results: Results, folder = import.meta.dirname): void {
  const verdicts = judge(results.rows, results.trips)
  write(folder, 'results.json', `${JSON.stringify({ ...results, verdicts }, null, 2)}\n`)
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  write(folder, 'README.md', withFigures(readme, toMarkdown(results, verdicts)))
  const chart = drawChart(results.rows)
  if (chart !== undefined) write(folder, 'checkouts.svg', chart)
}

const write = (folder: string, name: string, content: string) =>
  writeFileSync(join(folder, name), content)

/** A document with what stands between its markers replaced; throws when it has none. */
export function withFigures(document: string, figures: string): string {
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)]
  if (from === -1 || to < from) throw new Error(`README.md has no ${BEGIN} before ${END}`)
  return `${document.slice(0, from + BEGIN.length)}\n${figures}\n${document.slice(to)}`
}

/** The figures in Markdown: targets, then all rows, then the machine. */
export function toMarkdown(
  { machine, seconds, rows, trips }: Results,
  verdicts: Verdict[],
): string {
  const judged = verdicts.map(({ target, figure, met }) => [target, figure, verdictOf(met)])
  const split =
    trips === undefined ? [] : [`One client's round trips: ${describeTrips(trips)}.`, '']
  return [
    markdownTable([['target', 'figure', ''], ...judged]),
    '',
    ...split,
    markdownTable(toCells(rows)),
    '',
    ...describeOthers(rows).flatMap((line) => [`${line}.`, '']),
    `Columns named after processes are CPU milliseconds a request. Each figure is the mean of two ` +
      `measurements (A B B A) of ${seconds} s, limits of half that.`,
    '',
    `${describeMachine(machine)}.`,
  ].join('\n')
}

/** A verdict in a word. */
export function verdictOf(met: boolean | undefined): string {
  if (met === undefined) return '–'
  return met ? 'met' : 'missed'
}

function markdownTable([head = [], ...rows]: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  const rule = head.map((_cell, index) => (index === 0 ? '---' : '--:'))
  return [line(head), `|${rule.join('|')}|`, ...rows.map(line)].join('\n')
}
