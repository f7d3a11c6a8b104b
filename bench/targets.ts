/** Owns the targets: what the figures should be, and whether they are. */
import { SERVICE_HOPS, sumOf, type RoundTrips } from './limits/one-client.ts'
import type { Row } from './report.ts'
import { milliseconds, whole } from './format.ts'
import { NAMES } from './scenarios.ts'

/** A target beside its figure; `met` is undefined where this run has no such figure. */
export type Verdict = { target: string; figure: string; met: boolean | undefined }

const CHECKOUTS_PER_S = 4_000
const HOT_SHARE = 0.7
const READS_SHARE = 0.7
const TRIPS_FACTOR = 1.5

/** All targets, each judged by the figures of one run. */
export function judge(rows: Row[], trips: RoundTrips | undefined): Verdict[] {
  const find = (target: string, connections: number) =>
    rows.find((row) => row.target === target && row.connections === connections)?.figures
  const most = find(NAMES.checkouts, 512)
  const hot = find(NAMES.hot, 512)
  const one = find(NAMES.checkouts, 1)
  return [
    {
      target: `${whole(CHECKOUTS_PER_S)} checkouts/s at 512 connections`,
      ...verdict(most && most.perSecond, (value) => value >= CHECKOUTS_PER_S, whole),
    },
    {
      target: `one hot product at ${HOT_SHARE} of 1,000 products, at 512 connections`,
      ...verdict(hot && most && hot.perSecond / most.perSecond, (value) => value >= HOT_SHARE),
    },
    ...[64, 256].map((connections) => {
      const reads = find(NAMES.reads, connections)
      const bare = find(NAMES.readsHttp, connections)
      const share = reads && bare && reads.perSecond / bare.perSecond
      return {
        target: `reads at ${READS_SHARE} of bare node:http, at ${connections} connections`,
        ...verdict(share, (value) => value >= READS_SHARE),
      }
    }),
    {
      target: `one client's checkout within ${TRIPS_FACTOR} × the sum of its round trips`,
      ...verdict(one && trips && one.p50Ms / sumOf(trips), (value) => value <= TRIPS_FACTOR),
    },
  ]
}

function verdict(
  value: number | undefined,
  isMet: (value: number) => boolean,
  show = (shown: number) => shown.toFixed(2),
): Pick<Verdict, 'figure' | 'met'> {
  if (value === undefined) return { figure: 'not measured', met: undefined }
  return { figure: show(value), met: isMet(value) }
}

/** What the sum of round trips consists of, as one sentence. */
export function describeTrips(trips: RoundTrips): string {
  const { clientHop, serviceHop, commits, providerSync } = trips
  const committed = Object.entries(commits).map(
    ([name, { count, ms }]) => `${count} of ${name} ${milliseconds(ms)}`,
  )
  return (
    `${milliseconds(sumOf(trips))} ms = client to service ${milliseconds(clientHop)} + ` +
    `${SERVICE_HOPS} hops between services at ${milliseconds(serviceHop)} + ` +
    `commits (${committed.join(', ')}) + the provider's disk ${milliseconds(providerSync)}`
  )
}
