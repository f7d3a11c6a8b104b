/** Owns the work on payments: asks the provider what is to be asked, and writes what it told. No transaction is open meanwhile. */
import { appendEvents, type NewEvent, type Sequencer } from '@quartet/kit/events'
import type { Tx } from '@quartet/kit/postgres'
import type { World } from '@quartet/kit/world'
import type { Config } from './config.ts'
import {
  advanceUndo,
  bookingsOf,
  chargeKeyOf,
  nextCall,
  observeCharge,
  observeRefund,
  type Payment,
  type Refund,
} from './domain.ts'
import { paymentMoved } from './events.ts'
import type { Provider, Told } from './provider.ts'
import { book } from './store/ledger.ts'
import { closePayments, openPayments } from './store/open-payments.ts'
import { findPendingRefunds, insertRefunds, updateRefunds } from './store/refunds.ts'
import { lockPayments, updatePayments } from './store.ts'

/** A payment with its refunds that wait for the provider. */
export type Work = { payment: Payment; refunds: Refund[] }

export type Worker = {
  /** Asks about each until nothing is left to ask, or no answer came; gives the payments as written. */
  drive: (work: Work[], attempts: number) => Promise<Map<string, Payment>>
}

/** Cancel, learn that it was charged, refund: no payment needs more rounds than these. */
const MAX_ROUNDS = 4
const MIN_BACKOFF_MS = 200
const MAX_BACKOFF_MS = 10_000

export function createWorker(
  world: World<Config>,
  provider: Provider,
  sequencer: Sequencer,
): Worker {
  const backoffMs = (attempts: number) => {
    const ceilingMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** Math.min(attempts, 10))
    return ceilingMs * (0.5 + world.random.fraction() / 2)
  }
  return {
    async drive(work, attempts) {
      const payments = new Map(work.map(({ payment }) => [payment.id, payment]))
      let pending = work
      for (let round = 0; round < MAX_ROUNDS && pending.length > 0; round += 1) {
        const calls = pending.flatMap(({ payment, refunds }) => nextCall(payment, refunds) ?? [])
        if (calls.length === 0) break
        const told = await provider.perform(calls)
        const driveAt = new Date(world.clock.now() + backoffMs(attempts))
        const ids = calls.map(({ payment }) => payment.id)
        const written = await world.db.transaction((tx) => write(world, tx, ids, told, driveAt))
        sequencer.ring()
        for (const { payment } of written) payments.set(payment.id, payment)
        pending = written.filter(({ isNew }) => isNew)
      }
      return payments
    },
  }
}

type Written = Work & { isNew: boolean }

/** Writes what the provider told over the payments as they are by now: forward only (rule 9). */
async function write(
  world: World<Config>,
  tx: Tx,
  ids: string[],
  told: Told,
  driveAt: Date,
): Promise<Written[]> {
  const now = new Date(world.clock.now())
  const locked = await lockPayments(tx, ids)
  const pending = Map.groupBy(await findPendingRefunds(tx, ids), ({ paymentId }) => paymentId)
  const changes = [...locked.values()].map((payment) => {
    const change = observe({ payment, refunds: pending.get(payment.id) ?? [] }, told)
    return withUndo(world, change, now)
  })
  const written = await writeChanges(world, tx, changes, now)
  const isOpen = ({ after, refunds }: Change) => nextCall(after, refunds) !== undefined
  await openPayments(
    tx,
    written.filter(isOpen).map(({ after }) => ({ paymentId: after.id, driveAt })),
  )
  await closePayments(
    tx,
    written.filter((change) => !isOpen(change)).map(({ after }) => after.id),
  )
  return written.map(({ before, after, refunds, added }) => ({
    payment: after,
    refunds,
    isNew: before.status !== after.status || added.length > 0,
  }))
}

/** A payment before and after; `refunds` still wait, `decided` and `added` changed just now. */
export type Change = {
  before: Payment
  after: Payment
  refunds: Refund[]
  decided: Refund[]
  added: Refund[]
}

function observe({ payment, refunds }: Work, told: Told): Change {
  const charge = told.charges.get(chargeKeyOf(payment))
  let after = charge === undefined ? payment : observeCharge(payment, charge)
  const decided: Refund[] = []
  for (const refund of refunds) {
    const outcome = told.refunds.get(refund.id)
    if (outcome === undefined) continue
    const observed = observeRefund(after, refund, outcome)
    after = observed.payment
    decided.push({ ...observed.refund, status: outcome.status, reason: outcome.reason })
  }
  const isDecided = ({ id }: Refund) => decided.some((refund) => refund.id === id)
  const waiting = refunds.filter((refund) => !isDecided(refund))
  return { before: payment, after, refunds: waiting, decided, added: [] }
}

/** Takes an undo as far as it goes; the refund that it needs is added to what waits. */
export function withUndo(world: Pick<World<Config>, 'ids'>, change: Change, now: Date): Change {
  const { payment, refundAmount } = advanceUndo(change.after)
  if (refundAmount === 0) return { ...change, after: payment }
  const refund: Refund = {
    id: world.ids.next('rfd'),
    paymentId: payment.id,
    amount: refundAmount,
    status: 'pending',
    reason: null,
    createdAt: now,
    updatedAt: now,
  }
  return {
    ...change,
    after: payment,
    refunds: [...change.refunds, refund],
    added: [...change.added, refund],
  }
}

/** Writes changes of locked payments with their bookings and their events; gives them as written. */
export async function writeChanges(
  world: Pick<World<Config>, 'ids' | 'clock'>,
  tx: Tx,
  changes: Change[],
  now: Date,
): Promise<Change[]> {
  const written = changes.map((change) =>
    change.before === change.after
      ? change
      : { ...change, after: { ...change.after, updatedAt: now } },
  )
  const changed = written.filter(({ before, after }) => before !== after)
  await updatePayments(
    tx,
    changed.map(({ after }) => after),
    now,
  )
  await updateRefunds(
    tx,
    written.flatMap(({ decided }) => decided),
    now,
  )
  await insertRefunds(
    tx,
    written.flatMap(({ added }) => added),
  )
  const succeeded = ({ decided }: Change) => decided.filter(({ status }) => status === 'succeeded')
  const bookings = written.flatMap((each) => bookingsOf(each.before, each.after, succeeded(each)))
  await book(tx, bookings, now)
  const events: NewEvent[] = written.flatMap((each) =>
    paymentMoved(each.before, each.after, succeeded(each)),
  )
  await appendEvents(tx, world, events)
  return written
}
