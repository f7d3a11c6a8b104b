/** Owns the report of a run: what was ordered, what was struck, what customers felt, and what was broken. */
import type { ChaosOptions } from './options.ts'
import type { Outcome } from './run.ts'
import type { Stage } from './stage.ts'
import { PROMISES, type Promised } from './checks/violation.ts'
import type { Way } from './blows.ts'

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const number = (value: number) => whole.format(value)
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

/** A Markdown table; columns after the first are numbers. */
function table(head: string[], rows: string[][]): string[] {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, n) => (n === 0 ? '---' : '--:'))), ...rows.map(line)]
}

/** As Markdown, a line each. */
export function describeRun(
  { orders, kills, seed, customers }: ChaosOptions,
  { meters, nats }: Stage,
  outcome: Outcome,
): string[] {
  const { tookMs, healedMs, violations, stories, lostCommits } = outcome
  const lost = [...lostCommits.values()].reduce((sum, count) => sum + count, 0)
  const perSecond = (stories.length / tookMs) * 1000
  const longest = meters.longestRequest()
  const healed = healedMs === undefined ? 'not within 60 s' : seconds(healedMs)
  return [
    `\`npm run chaos -- --orders ${orders} --kills ${kills} --seed ${seed}\`: ` +
      `**${number(violations.length)} violations**`,
    '',
    ...table(
      ['', ''],
      [
        ['orders begun, by customers at once', `${number(stories.length)}, ${customers}`],
        ['load and blows', `${seconds(tookMs)}, ${number(perSecond)} orders/s`],
        ['time to heal: all orders ended, all customers told', healed],
        ['longest time in which nobody got a definite answer', seconds(meters.longestSilenceMs())],
        [
          'longest time until one request was answered',
          `${seconds(longest.tookMs)}: ${longest.what}`,
        ],
        ['commits whose answer was lost with the process', number(lost)],
        ['looks at stock meanwhile', number(outcome.stockSamples)],
        ['broker', nats === undefined ? 'none: no nats-server on the PATH' : 'NATS'],
      ],
    ),
    '',
    ...table(['orders by outcome', ''], outcomesOf(outcome)),
    '',
    ...blowsOf(outcome),
    '',
    ...table(['requests by outcome', ''], requestsOf(meters.outcomes)),
    ...(violations.length === 0 ? [] : ['', ...brokenOf(outcome)]),
  ]
}

function tally(names: string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].toSorted((a, b) => b[1] - a[1])
}

function outcomesOf({ books, stories }: Outcome): string[][] {
  const told = new Set(stories.flatMap(({ ids }) => [...ids]))
  const ours = books.orders.filter(({ id }) => told.has(id))
  const names = ours.map(({ status, cancel_reason: reason }) =>
    reason === null ? status : `${status}: ${reason.replaceAll('_', ' ')}`,
  )
  const none = stories.filter(({ ids }) => ids.size === 0).map(() => 'no order')
  return tally([...names, ...none]).map(([name, count]) => [name, number(count)])
}

const WAYS: Record<Way, string> = {
  killed: 'killed −9',
  lostCommit: 'after a commit',
  frozen: 'frozen',
  slow: 'slow',
  cut: 'connections cut',
  backendKilled: 'a backend −9',
  wiped: 'killed and wiped',
}

function blowsOf({ struck }: Outcome): string[] {
  const pairs = struck.map(({ what }) => {
    const [name = '', way = ''] = what.split(' ')
    return { victim: name.replace(/-\d+$/, ''), way: way as Way }
  })
  const ways = (Object.keys(WAYS) as Way[]).filter((way) => pairs.some((pair) => pair.way === way))
  const rows = tally(pairs.map(({ victim }) => victim)).map(([victim, count]) => [
    victim,
    ...ways.map((way) => {
      const times = pairs.filter((pair) => pair.victim === victim && pair.way === way).length
      return times === 0 ? '' : String(times)
    }),
    String(count),
  ])
  return table(['blows by victim', ...ways.map((way) => WAYS[way]), 'all'], rows)
}

function requestsOf(outcomes: ReadonlyMap<string, number>): string[][] {
  const byStatus = new Map<string, number>()
  for (const [what, count] of outcomes) {
    const status = what.endsWith('no answer') ? 'no answer' : what.slice(-3)
    byStatus.set(status, (byStatus.get(status) ?? 0) + count)
  }
  return [...byStatus]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, count]) => [name, number(count)])
}

function brokenOf({ violations }: Outcome): string[] {
  const rows = tally(violations.map(({ promise }) => promise)).map(([promise, count]) => [
    PROMISES[promise as Promised],
    number(count),
  ])
  return table(['violations', ''], rows)
}
