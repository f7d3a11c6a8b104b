/** Owns the end of an end-to-end test: what npm run reconcile says of the shop that it used. */
import assert from 'node:assert/strict'
import type { Target } from '../../tools/reconcile/books.ts'
import { isClean, type Report } from '../../tools/reconcile/reconcile.ts'
import { describeReport } from '../../tools/reconcile/report.ts'
import { reconcileNow, withRunningShop } from '../../tools/reconcile/running-shop.ts'
import type { Shop } from '../../tools/start/shop.ts'

/** A reader that was killed or frozen is followed by another after its lease of 15 s. */
const LOOKS = 10

/** Fails, in the words of npm run reconcile, unless all books agree, once readers have read all. */
export function reconcile({ dataDir }: Pick<Shop, 'dataDir'>): Promise<void> {
  return withRunningShop(dataDir, reconcileTarget)
}

/** The same of books that are anywhere. */
export async function reconcileTarget(target: Target): Promise<void> {
  const look = () => reconcileNow(target, 0)
  let report = await look()
  for (let looks = 1; looks < LOOKS && isBeingRead(report); looks += 1) report = await look()
  assert.ok(isClean(report), describeReport(report).join('\n'))
}

// Each look that finds something takes some seconds: it looks twice.
const isBeingRead = ({ differences }: Report): boolean =>
  differences.length > 0 && differences.every(({ kind }) => kind === 'events_not_read')
