/** Owns how a reconciliation is told: to a person in 80 columns, or to a program line by line. */
import { table } from '../start/screen.ts'
import type { Difference } from './check.ts'
import { isClean, type Line, type Report } from './reconcile.ts'

const MEND_COMMAND = 'npm run reconcile -- --mend'
const WIDTH = 80
/** Differences of a kind that a person is told; --json tells all. */
const MAX_TOLD = 20

const whole = (count: number) => count.toLocaleString('en-US')

/** What a person reads. */
export function describeReport(report: Report): string[] {
  const rows = report.lines.map((line) => [
    line.book,
    `${whole(line.compared)} ${line.noun}`,
    verdictOf(line),
  ])
  const kinds = Map.groupBy(report.differences, ({ kind }) => kind)
  const paragraphs = [...kinds].flatMap(([kind, found]) => describeKind(report, kind, found))
  return [...table(rows), '', ...paragraphs, ...describeEnd(report)]
}

function verdictOf({ differences, hasMore }: Line): string {
  if (hasMore) return `${whole(differences)} differ, and more`
  if (differences === 0) return 'agree'
  return differences === 1 ? '1 differs' : `${whole(differences)} differ`
}

function describeKind({ kinds }: Report, name: string, found: Difference[]): string[] {
  const { says = '', byHand = '' } = kinds[name] ?? {}
  const nudged = found.filter(({ nudge }) => nudge !== undefined)
  const others = found.filter(({ nudge }) => nudge === undefined)
  return [
    `${name}: ${whole(found.length)}`,
    ...wrap(says, 2),
    ...(nudged.length === 0 ? [] : [`  mend: ${MEND_COMMAND}`, ...describeAll(nudged)]),
    ...(others.length === 0 ? [] : [...wrap(`by hand: ${byHand}`, 2), ...describeAll(others)]),
    '',
  ]
}

function describeAll(differences: Difference[]): string[] {
  const told = differences.slice(0, MAX_TOLD).flatMap(({ id, detail }) => {
    const line = `    ${id}  ${detail}`
    return line.length <= WIDTH ? [line] : [`    ${id}`, ...wrap(detail, 6)]
  })
  const left = differences.length - MAX_TOLD
  return left > 0 ? [...told, `    and ${whole(left)} more: see --json`] : told
}

function describeEnd(report: Report): string[] {
  if (isClean(report)) return ['All books agree: 0 differences.']
  const more = report.lines.some(({ hasMore }) => hasMore)
    ? ['Only a part was looked at: reconcile again when these are mended.']
    : []
  const { length: count } = report.differences
  return [`${whole(count)} ${count === 1 ? 'difference' : 'differences'}.`, ...more]
}

/** Breaks a sentence into lines of at most 80 columns; a word that is longer stands alone. */
export function wrap(text: string, indent: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && indent + longer.length > WIDTH) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each)
}

/** What a program reads: a JSON object a line, each check and then each difference. */
export function toJsonLines({ lines, differences, kinds }: Report): string[] {
  const told = differences.map(({ book, kind, id, detail, nudge }) => {
    const mendedBy = nudge === undefined ? { by_hand: kinds[kind]?.byHand } : { mend: MEND_COMMAND }
    return { type: 'difference', kind, id, book, detail, says: kinds[kind]?.says, ...mendedBy }
  })
  const checks = lines.map(({ book, noun, compared, differences: count, hasMore }) => ({
    type: 'book',
    book,
    compared,
    of: noun,
    differences: count,
    has_more: hasMore,
  }))
  return [...checks, ...told].map((each) => JSON.stringify(each))
}
