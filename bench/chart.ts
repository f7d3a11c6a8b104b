/** Owns the chart: checkouts a second and p99 by connections, as SVG that is light or dark as its reader is. */
import { whole } from './format.ts'
import type { Row } from './report.ts'
import { NAMES } from './scenarios.ts'

/** Bars of one colour, or the thin line of a limit. */
type Series = { name: string; values: (number | undefined)[] }
type Panel = { title: string; bars: Series[]; limit: Series | undefined; x: number }

const WIDTH = 880
const HEIGHT = 360
const PLOT = { width: 360, height: 210, top: 70 }

const STYLE = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #4b5563 }
    .title { font-size: 15px; font-weight: 600; fill: #111827 }
    .value { font-size: 11px }
    .grid { stroke: #e5e7eb }
    .bar0 { fill: #2563eb } .bar1 { fill: #93c5fd }
    .limit { stroke: #b45309; stroke-width: 1.5; fill: none }
    .number { text-anchor: end } .middle { text-anchor: middle }
    @media (prefers-color-scheme: dark) {
      text { fill: #9ca3af } .title { fill: #f3f4f6 } .grid { stroke: #374151 }
      .bar0 { fill: #60a5fa } .bar1 { fill: #1e40af } .limit { stroke: #fbbf24 }
    }`

/** Draws the figures of one run; undefined when it has no checkouts. */
export function drawChart(rows: Row[]): string | undefined {
  const counts = [
    ...new Set(rows.filter(isCheckout).map(({ connections }) => connections)),
  ].toSorted((a, b) => a - b)
  if (counts.length === 0) return undefined
  const series = (name: string, target: string, pick: (row: Row) => number): Series => ({
    name,
    values: counts.map((count) => {
      const row = rows.find((each) => each.target === target && each.connections === count)
      return row && pick(row)
    }),
  })
  const panel = (title: string, x: number, pick: (row: Row) => number): Panel => ({
    title,
    x,
    bars: [
      series('1,000 products', NAMES.checkouts, pick),
      series('one hot product', NAMES.hot, pick),
    ],
    limit: series('limit: the same SQL, no HTTP', NAMES.checkoutsSql, pick),
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    '  <title>Checkouts a second and their p99, by connections</title>',
    `  <style>${STYLE}\n  </style>`,
    drawPanel(
      panel('Checkouts a second', 56, ({ figures }) => figures.perSecond),
      counts,
    ),
    drawPanel(
      panel('p99, milliseconds', 496, ({ figures }) => figures.p99Ms),
      counts,
    ),
    drawLegend(),
    '</svg>\n',
  ].join('\n')
}

const isCheckout = ({ target }: Row) => target === NAMES.checkouts

function drawPanel({ title, bars, limit, x }: Panel, counts: number[]): string {
  const values = [...bars, ...(limit === undefined ? [] : [limit])].flatMap((each) => each.values)
  const top = niceCeiling(Math.max(1, ...values.map((value) => value ?? 0)))
  const slot = PLOT.width / counts.length
  const barWidth = (slot * 0.7) / bars.length
  const heightOf = (value: number) => (value / top) * PLOT.height
  const bottom = PLOT.top + PLOT.height
  const left = (index: number) => x + index * slot + slot * 0.15
  const drawn = bars.flatMap(({ values: own }, kind) =>
    own.map((value, index) => {
      if (value === undefined) return ''
      const at = left(index) + kind * barWidth
      const height = heightOf(value)
      return rect(`bar${kind}`, at, bottom - height, barWidth - 2, height, whole(value))
    }),
  )
  const labels = counts.map((count, index) =>
    text('middle', x + (index + 0.5) * slot, bottom + 20, String(count)),
  )
  return [
    text('title', x, 34, title),
    ...grid(x, top),
    ...drawn.filter((each) => each !== ''),
    ...limitLine(limit, slot, x, heightOf),
    ...labels,
    text('middle', x + PLOT.width / 2, bottom + 42, 'connections'),
  ].join('\n')
}

function grid(x: number, top: number): string[] {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const y = PLOT.top + PLOT.height * (1 - share)
    return [
      `  <line class="grid" x1="${x}" x2="${x + PLOT.width}" y1="${round(y)}" y2="${round(y)}"/>`,
      text('number value', x - 8, y + 4, whole(top * share)),
    ]
  })
}

function limitLine(
  limit: Series | undefined,
  slot: number,
  x: number,
  heightOf: (value: number) => number,
): string[] {
  const steps = (limit?.values ?? []).flatMap((value, index) => {
    if (value === undefined) return []
    const y = round(PLOT.top + PLOT.height - heightOf(value))
    return [`M${round(x + index * slot + slot * 0.06)} ${y}h${round(slot * 0.88)}`]
  })
  return steps.length === 0 ? [] : [`  <path class="limit" d="${steps.join('')}"/>`]
}

function drawLegend(): string {
  const y = HEIGHT - 10
  return [
    rect('bar0', 56, y - 10, 12, 12),
    text('', 74, y, '1,000 products'),
    rect('bar1', 190, y - 10, 12, 12),
    text('', 208, y, 'every buyer on one'),
    `  <path class="limit" d="M346 ${y - 4}h24"/>`,
    text('', 378, y, 'limit: the same SQL in the same batches, without HTTP'),
  ].join('\n')
}

function rect(
  kind: string,
  x: number,
  y: number,
  width: number,
  height: number,
  told = '',
): string {
  const at = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`
  const title = told === '' ? '' : `<title>${told}</title>`
  return `  <rect class="${kind}" ${at} rx="2">${title}</rect>`
}

const text = (kind: string, x: number, y: number, words: string): string =>
  `  <text class="${kind}" x="${round(x)}" y="${round(y)}">${words}</text>`

const round = (value: number): number => Math.round(value * 10) / 10

/** The least of 1, 2, 4, 6, 8 times a power of ten that is not below a value. */
export function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 4, 6, 8, 10].find((each) => each * power >= value) ?? 10
  return step * power
}
