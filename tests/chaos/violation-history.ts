/** Owns telling a violation with the history of its order: requests, blows nearby, rows, the processor's record, events. */
import type { Exchange } from './history.ts'
import type { Outcome } from './run.ts'
import type { Stage } from './stage.ts'
import { PROMISES, type Violation } from './checks/violation.ts'

/** More are counted, and not told one by one. */
const MOST = 30
const NEAR_MS = 3_000

export async function describeViolations(stage: Stage, outcome: Outcome): Promise<string[]> {
  const first = outcome.violations.slice(0, MOST)
  const byOrder = new Map(
    outcome.stories.flatMap(({ ids, n }) => [...ids].map((id) => [id, n] as const)),
  )
  const numberOf = ({ n, order }: Violation) => n ?? byOrder.get(order ?? '')
  const wanted = new Set(first.flatMap((each) => numberOf(each) ?? []))
  const exchanges = wanted.size === 0 ? new Map() : await stage.history.read(wanted)
  const told = new Set<number>()
  const lines = first.flatMap((violation) => {
    const n = numberOf(violation)
    const head = [
      `✗ ${PROMISES[violation.promise]}`,
      `  ${violation.order ?? ''} ${violation.detail}`,
    ]
    if (n === undefined || told.has(n)) return head
    told.add(n)
    return [...head, ...historyOf(outcome, n, (exchanges.get(n) as Exchange[] | undefined) ?? [])]
  })
  const more = outcome.violations.length - first.length
  return more === 0 ? lines : [...lines, `… and ${more} more`]
}

function historyOf(
  { stories, struck, books }: Outcome,
  n: number,
  exchanges: Exchange[],
): string[] {
  const story = stories.find((each) => each.n === n)
  const ids = story?.ids ?? new Set()
  const sent = exchanges.toSorted((a, b) => a.atMs - b.atMs)
  const [fromMs, toMs] = [sent[0]?.atMs ?? 0, sent.at(-1)?.atMs ?? 0]
  const near = struck.filter((blow) => blow.fromMs < toMs + NEAR_MS && blow.toMs > fromMs - NEAR_MS)
  const timed = [
    ...sent.map((each) => ({ atMs: each.atMs, line: describeExchange(each) })),
    ...near.map((blow) => ({
      atMs: blow.fromMs,
      line: `── blow ${blow.number}: ${blow.what}, ${Math.round(blow.toMs - blow.fromMs)} ms`,
    })),
  ].toSorted((a, b) => a.atMs - b.atMs)
  const isIts = (id: string | null | undefined) => id !== null && id !== undefined && ids.has(id)
  return [
    `  order ${n}, ${story?.kind}, key ${story?.key}, owner ${story?.owner}`,
    ...timed.map(({ atMs, line }) => `    ${new Date(atMs).toISOString().slice(11, 23)}  ${line}`),
    ...rows(
      'orders',
      books.orders.filter(({ id }) => isIts(id)),
    ),
    ...rows(
      'reservations',
      books.reservations.filter(({ order_id }) => isIts(order_id)),
    ),
    ...rows(
      'payments',
      books.payments.filter(({ order_id }) => isIts(order_id)),
    ),
    ...rows(
      'provider',
      books.record.filter(({ metadata }) => isIts(metadata?.order_id)),
    ),
    ...rows(
      'events',
      books.logs.orders.events.filter(({ subject }) => isIts(subject)),
    ),
  ]
}

const describeExchange = ({ asked, key, answer, said, tookMs }: Exchange): string =>
  `${asked}${key === undefined ? '' : ` [${key}]`} → ${answer} after ${tookMs} ms ${said}`

const rows = (name: string, found: object[]): string[] =>
  found.map((row) => `    ${name}: ${JSON.stringify(row)}`)
