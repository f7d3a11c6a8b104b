import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawChart, niceCeiling } from './chart.ts'
import type { Machine } from './machine.ts'
import { othersOf, together } from './measure.ts'
import { toMarkdown, withFigures } from './publish.ts'
import { describeOthers, textTable, toCells, type Row } from './report.ts'
import { NAMES } from './scenarios.ts'
import { judge } from './targets.ts'

const row = (target: string, connections: number, perSecond: number, p50Ms = 1): Row => ({
  target,
  connections,
  figures: { perSecond, p50Ms, p99Ms: 9, cpuMs: { orders: 0.25 }, others: {}, runs: [perSecond] },
})

const trips = {
  clientHop: 0.1,
  serviceHop: 0.2,
  commits: { orders: { count: 2, ms: 2 }, payments: { count: 2, ms: 1 } },
  providerSync: 0.3,
}

const machine: Machine = {
  cpu: 'CPU',
  cores: 2,
  memoryGiB: 4,
  system: 'Linux 6',
  node: '26',
  undici: '8',
  postgres: '18',
  generator: 'wrk',
  date: '2030-01-01',
  loadBefore: 0.1,
}

test('targets are judged by the figures of the run, and those without a figure are not', () => {
  const rows = [
    row(NAMES.checkouts, 1, 200, 6),
    row(NAMES.checkouts, 512, 4_000),
    row(NAMES.hot, 512, 2_799),
    row(NAMES.reads, 64, 7_000),
    row(NAMES.readsHttp, 64, 10_000),
  ]
  const verdicts = judge(rows, trips)
  assert.deepEqual(
    verdicts.map(({ figure, met }) => [figure, met]),
    [
      ['4,000', true],
      ['0.70', false],
      ['0.70', true],
      ['not measured', undefined],
      ['1.50', true],
    ],
  )
  assert.equal(judge(rows, { ...trips, clientHop: 0 }).at(-1)?.met, false)
})

test('columns line up, and processes that used nothing have none', () => {
  const lines = textTable(toCells([row('checkouts', 1, 1_234), row('reads', 512, 9)]))
  assert.deepEqual(lines, [
    'what       connections    1/s  runs  p50 ms  p99 ms  orders  all CPU-ms',
    'checkouts            1  1,234          1.00    9.00   0.250       0.250',
    'reads              512      9          1.00    9.00   0.250       0.250',
  ])
})

test('a mean is told with its runs, and with what was no success', () => {
  const [first, second] = [row('checkouts', 1, 100), row('checkouts', 1, 300)]
  second.figures.others = { 503: 7 }
  const rows = [{ ...first, figures: together([first.figures, second.figures]) }]
  assert.deepEqual(toCells(rows)[1]?.slice(1, 4), ['1', '200', '100–300'])
  assert.deepEqual(describeOthers(rows), [
    'No success, and not counted: checkouts, 1 connections: 7 × 503',
  ])
})

test('statuses that are no success are told once, and failures without a status too', () => {
  const statuses = { 201: 5, 202: 2, 503: 3 }
  assert.deepEqual(othersOf({ success: 201 }, { statuses, failed: 4 }), {
    202: 2,
    503: 3,
    failed: 1,
  })
  assert.deepEqual(othersOf({}, { statuses: { 200: 9, 404: 1 }, failed: 1 }), { 404: 1 })
})

test('figures replace what stood between the markers, and nothing else', () => {
  const before = 'a\n<!-- figures: npm run bench -- --write -->\nold\n<!-- end of figures -->\nz\n'
  const after = withFigures(before, 'new')
  assert.equal(after, before.replace('old', 'new'))
  assert.equal(withFigures(after, 'new'), after)
  assert.throws(() => withFigures('no markers', 'new'), /has no/)
})

test('the Markdown has every row, every target and the machine', () => {
  const rows = [row(NAMES.checkouts, 64, 1_000)]
  const markdown = toMarkdown({ machine, seconds: 5, rows, trips }, judge(rows, trips))
  assert.match(
    markdown,
    /^\| checkouts \| 64 \| 1,000 \|  \| 1\.00 \| 9\.00 \| 0\.250 \| 0\.250 \|$/m,
  )
  assert.match(markdown, /4,000 checkouts\/s at 512 connections \| not measured \| – \|/)
  assert.match(markdown, /^CPU, 2 cores, 4 GiB, Linux 6, Node 26, PostgreSQL 18, load by wrk/m)
})

test('bars of the chart are as high as their figures', () => {
  const chart = drawChart([row(NAMES.checkouts, 1, 500), row(NAMES.checkouts, 64, 1_000)]) ?? ''
  const heights = Array.from(
    chart.matchAll(/class="bar0"[^>]*height="([\d.]+)" rx="2"><title>/g),
    ([, h]) => Number(h),
  )
  assert.deepEqual(heights.slice(0, 2), [105, 210])
  assert.equal(drawChart([row(NAMES.reads, 1, 500)]), undefined)
})

test('an axis ends at a round number that no bar passes', () => {
  assert.deepEqual([0.3, 1, 7, 41, 401, 8_500].map(niceCeiling), [0.4, 1, 8, 60, 600, 10_000])
})
