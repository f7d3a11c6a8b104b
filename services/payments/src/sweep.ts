/** Owns the sweep: asks again about every payment that waits for the provider, whoever asked before (rule 10). */
import { createRounds } from '@quartet/kit/rounds'
import type { World } from '@quartet/kit/world'
import type { Config } from './config.ts'
import { claimDuePayments, nextDriveAt, type DuePayment } from './store/open-payments.ts'
import { findPendingRefunds } from './store/refunds.ts'
import { findPayments } from './store.ts'
import type { Work, Worker } from './work.ts'

export type Sweep = {
  start: () => void
  /** A payment was put off until then: the sweep looks in time. */
  wakeAt: (time: Date) => void
  stop: () => Promise<void>
}

const MIN_WAIT_MS = 50
const BATCH_SIZE = 500
const STOP_GRACE_MS = 500

export function createSweep(world: World<Config>, worker: Worker): Sweep {
  const rounds = createRounds(world, {
    name: 'sweep',
    // What a replica that died has put off is found within this time; what this one has, wakes it.
    pollMs: world.config.LEASE_MS / 2,
    minWaitMs: MIN_WAIT_MS,
    async run() {
      const now = new Date(world.clock.now())
      const leaseUntil = new Date(now.getTime() + world.config.LEASE_MS)
      const due = await world.db.transaction((tx) =>
        claimDuePayments(tx, { now, leaseUntil, limit: BATCH_SIZE }),
      )
      if (due.length > 0) await worker.drive(await readWork(world, due))
      return nextDriveAt(world.db)
    },
  })
  return {
    start: rounds.start,
    wakeAt: (time) => rounds.wakeAt(time.getTime()),
    // What waits for a provider that doesn't answer is taken over by whoever sweeps next.
    stop: () => Promise.race([rounds.stop(), world.timers.sleep(STOP_GRACE_MS)]),
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
