/** Owns the sweep: asks again about every payment that waits for the provider, whoever asked before (rule 10). */
import { ConnectionLost } from '@quartet/kit/postgres'
import type { World } from '@quartet/kit/world'
import type { Config } from './config.ts'
import { claimDuePayments, nextDriveAt, type DuePayment } from './store/open-payments.ts'
import { findPendingRefunds } from './store/refunds.ts'
import { findPayments } from './store.ts'
import type { Work, Worker } from './work.ts'

export type Sweep = {
  start: () => void
  stop: () => Promise<void>
}

// What was left open, here or by a replica that died, is found within this time: one small query.
const POLL_MS = 500
const MIN_WAIT_MS = 50
const BATCH_SIZE = 500
const STOP_GRACE_MS = 500

export function createSweep(world: World<Config>, worker: Worker): Sweep {
  let stopped = true
  let running: Promise<void> | undefined
  let wakeMs = 0
  let cancelTimer = () => {}

  async function sweepDue(): Promise<void> {
    const now = new Date(world.clock.now())
    const leaseUntil = new Date(now.getTime() + world.config.LEASE_MS)
    const due = await world.db.transaction((tx) =>
      claimDuePayments(tx, { now, leaseUntil, limit: BATCH_SIZE }),
    )
    if (due.length > 0) await worker.drive(await readWork(world, due))
  }

  async function round(): Promise<void> {
    const nowMs = world.clock.now()
    wakeMs = nowMs + POLL_MS
    try {
      await sweepDue()
      const next = await nextDriveAt(world.db)
      wakeMs = Math.min(wakeMs, next?.getTime() ?? Infinity)
    } catch (error) {
      const level = error instanceof ConnectionLost ? 'warn' : 'error'
      world.log[level]({ error }, 'payments wait: they could not be looked up')
    }
  }

  function schedule(): void {
    cancelTimer()
    if (stopped || running !== undefined) return
    const waitMs = Math.max(MIN_WAIT_MS, wakeMs - world.clock.now())
    cancelTimer = world.timers.after(waitMs, () => {
      running = round().finally(() => {
        running = undefined
        schedule()
      })
    })
  }

  return {
    start() {
      stopped = false
      schedule()
    },
    async stop() {
      stopped = true
      cancelTimer()
      // What waits for a provider that doesn't answer is taken over by whoever sweeps next.
      await Promise.race([running, world.timers.sleep(STOP_GRACE_MS)])
    },
  }
}

async function readWork({ db }: World<Config>, due: DuePayment[]): Promise<Work[]> {
  const ids = due.map(({ payment_id }) => payment_id)
  const payments = await findPayments(db, ids)
  const refunds = Map.groupBy(await findPendingRefunds(db, ids), ({ paymentId }) => paymentId)
  return due.flatMap(({ payment_id: id, attempts }) => {
    const payment = payments.get(id)
    return payment === undefined ? [] : [{ payment, refunds: refunds.get(id) ?? [], attempts }]
  })
}
