/** Owns the end of an end-to-end test: what npm run reconcile says of the shop that it used. */
import assert from 'node:assert/strict'
import { isClean } from '../../tools/reconcile/reconcile.ts'
import { describeReport } from '../../tools/reconcile/report.ts'
import { reconcileNow, withRunningShop } from '../../tools/reconcile/running-shop.ts'
import type { Shop } from '../../tools/start/shop.ts'

/** Fails, in the words of npm run reconcile, unless all books agree. */
export async function reconcile({ dataDir }: Pick<Shop, 'dataDir'>): Promise<void> {
  const report = await withRunningShop(dataDir, (target) => reconcileNow(target, 0))
  assert.ok(isClean(report), describeReport(report).join('\n'))
}
