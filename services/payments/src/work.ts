/** Owns the work on payments: asks the provider what is to be asked, and writes what it told, asked or not. No transaction is open meanwhile. */
import { settleItems } from '@quartet/kit/batch'
import { appendEvents, type NewEvent, type Sequencer } from '@quartet/kit/events'
import { isDataError, type Transaction } from '@quartet/kit/postgres'
import { withTimeout } from '@quartet/kit/timeout'
import type { World } from '@quartet/kit/world'
import { waitMs } from './back-off.ts'
import type { Config } from './config.ts'
import {
  advanceUndo,
  bookingsOf,
  chargeKeyOf,
  giveUpWaiting,
  nextCalls,
  observeCharge,
  observeRefund,
  type Call,
  type ChargeState,
  type Payment,
  type Refund,
} from './domain.ts'
import { paymentMoved } from './events.ts'
import type { Provider, Told } from './provider.ts'
import { book } from './store/ledger.ts'
import { closePayments, openPayments } from './store/open-payments.ts'
import { findPendingRefunds, insertRefunds, updateRefunds } from './store/refunds.ts'
import { lockPayments, updatePayments } from './store.ts'

/** A payment with its refunds that wait for the provider, and how often it was asked in vain. */
export type Work = { payment: Payment; refunds: Refund[]; attempts: number }

/** A charge of a payment, as the provider told it unasked. */
export type Heard = { payment: Payment; charge: ChargeState }

export type Worker = {
  /** Asks about each until nothing is left to ask, or no answer came; gives the payments as written. */
  drive: (work: Work[]) => Promise<Map<string, Payment>>
  /** The same for somebody who waits: what takes longer than COMMAND_BUDGET_MS is given as it was, and goes on. */
  driveAwhile: (work: Work[]) => Promise<Map<string, Payment>>
  /**
   * Writes what was heard, one charge a payment, as an answer is written; gives the payments whose news
   * are stored. What is then left to ask goes on by itself.
   */
  hear: (heard: Heard[]) => Promise<Map<string, Payment>>
}

/** Cancel, learn that it was charged, refund: no payment needs more rounds than these. */
const MAX_ROUNDS = 4

/** `onPutOff` is told until when payments wait at most before the provider is asked again. */
export function createWorker(
  world: World<Config>,
  provider: Provider,
  { sequencer, onPutOff }: { sequencer: Sequencer; onPutOff: (until: Date) => void },
): Worker {
  async function writeAndTell(asked: Work[], told: Told): Promise<Written[]> {
    const written = await writeAll(world, asked, told)
    const waiting = written.flatMap(({ driveAt }) => driveAt?.getTime() ?? [])
    if (waiting.length > 0) onPutOff(new Date(waiting.reduce((a, b) => Math.min(a, b))))
    return written
  }
  async function driveRounds(work: Work[]): Promise<Map<string, Payment>> {
    const payments = new Map(work.map(({ payment }) => [payment.id, payment]))
    let asked = work.filter(hasCalls)
    for (let round = 0; round < MAX_ROUNDS && asked.length > 0; round += 1) {
      const told = await provider.perform(asked.flatMap(callsOf))
      const written = await writeAndTell(asked, told)
      for (const { payment } of written) payments.set(payment.id, payment)
      asked = written.filter((each) => each.isNew && hasCalls(each))
    }
    return payments
  }
  const drive = (work: Work[]) =>
    driveRounds(work).finally(() => {
      // Also what needed no call may have said something when it was written.
      if (work.length > 0) sequencer.ring()
    })
  async function hear(heard: Heard[]): Promise<Map<string, Payment>> {
    const work = heard.map(({ payment }): Work => ({ payment, refunds: [], attempts: 0 }))
    const charges = new Map(heard.map(({ charge }) => [charge.key, charge]))
    const written = await writeAndTell(work, { charges, refunds: new Map() })
    sequencer.ring()
    drive(written.filter((each) => each.isNew && hasCalls(each))).catch((error: unknown) =>
      world.log.warn({ error }, 'what a webhook leaves to do waits for the sweep'),
    )
    return new Map(written.map(({ payment }) => [payment.id, payment]))
  }

  return {
    hear,
    drive,
    driveAwhile: (work) =>
      withTimeout(world.timers, world.config.COMMAND_BUDGET_MS, () => drive(work)).catch(
        (error: unknown) => {
          if (!(error instanceof Error) || error.name !== 'TimeoutError') throw error
          return new Map(work.map(({ payment }) => [payment.id, payment]))
        },
      ),
  }
}

const callsOf = ({ payment, refunds }: Pick<Work, 'payment' | 'refunds'>): Call[] =>
  nextCalls(payment, refunds)
const hasCalls = (work: Pick<Work, 'payment' | 'refunds'>): boolean => callsOf(work).length > 0

/** `driveAt`: when the provider is asked again; undefined when it has nothing more to tell. */
type Written = Work & { isNew: boolean; refundFailed: boolean; driveAt?: Date }

// An answer that can't be stored stays with its own payment, which is asked about again (rule 16).
async function writeAll(world: World<Config>, asked: Work[], told: Told): Promise<Written[]> {
  const results = await settleItems(
    (some) => world.db.transaction((tx) => write(world, tx, some, told)),
    asked,
  )
  return results.flatMap((result, index) => {
    if (result.status === 'fulfilled') {
      const { payment, refundFailed } = result.value
      if (refundFailed && payment.undo) {
        world.log.error({ payment: payment.id }, 'the provider refused to give money back')
      }
      return [result.value]
    }
    const { reason } = result
    if (!isDataError(reason)) throw reason
    const payment = asked[index]?.payment.id
    world.log.error({ error: reason, payment }, 'what the provider told cannot be stored')
    return []
  })
}

/** Writes what the provider told over the payments as they are by now: forward only (rule 9). */
async function write(
  world: World<Config>,
  tx: Transaction,
  asked: Work[],
  told: Told,
): Promise<Written[]> {
  const nowMs = world.clock.now()
  const now = new Date(nowMs)
  const ids = asked.map(({ payment }) => payment.id)
  const [locked, refunds] = await Promise.all([lockPayments(tx, ids), findPendingRefunds(tx, ids)])
  const pending = Map.groupBy(refunds, ({ paymentId }) => paymentId)
  const observed = asked.map(({ payment: { id } }) => {
    const payment = locked.get(id)
    if (payment === undefined) throw new Error(`payment ${id} is gone`)
    const change = observe(payment, pending.get(id) ?? [], told)
    return withUndo(world, { ...change, after: giveUpWaiting(change.after, nowMs) }, now)
  })
  const changes = await writeChanges(world, tx, observed, now)
  const written = changes.map((change, index): Written => {
    const each = toWritten(change, asked[index]?.attempts ?? 0)
    return hasCalls(each) ? { ...each, driveAt: nextDrive(world, each, nowMs) } : each
  })
  openPayments(
    tx,
    written.flatMap(({ payment: { id: paymentId }, driveAt }) =>
      driveAt === undefined ? [] : [{ paymentId, driveAt }],
    ),
  )
  closePayments(
    tx,
    written.flatMap(({ payment, driveAt }) => (driveAt === undefined ? [payment.id] : [])),
  )
  return written
}

function toWritten({ before, after, refunds, decided, added }: Change, attempts: number): Written {
  const refundFailed = decided.some(({ status }) => status === 'failed')
  const hasMoved = before.status !== after.status || before.undo !== after.undo
  const isNew = !refundFailed && (hasMoved || added.length > 0)
  return { payment: after, refunds, attempts, refundFailed, isNew }
}

function nextDrive(
  { config, random }: World<Config>,
  { payment, attempts, refundFailed }: Written,
  nowMs: number,
): Date {
  const isTold = config.WEBHOOK_SECRET_FILE !== undefined
  const fraction = random.fraction()
  return new Date(nowMs + waitMs({ payment, attempts, refundFailed, isTold, nowMs, fraction }))
}

/** A payment before and after; `refunds` still wait, `decided` and `added` changed just now. */
export type Change = {
  before: Payment
  after: Payment
  refunds: Refund[]
  decided: Refund[]
  added: Refund[]
}

function observe(payment: Payment, refunds: Refund[], told: Told): Change {
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

// By a clock that went back, a payment that has changed would look like one that hasn't.
const laterThan = ({ updatedAt }: Payment, now: Date): Date =>
  new Date(Math.max(now.getTime(), updatedAt.getTime() + 1))

/** Writes changes of locked payments with their bookings and their events; gives them as written. */
export async function writeChanges(
  world: Pick<World<Config>, 'ids' | 'clock'>,
  tx: Transaction,
  changes: Change[],
  now: Date,
): Promise<Change[]> {
  const written = changes.map((change) =>
    change.before === change.after
      ? change
      : { ...change, after: { ...change.after, updatedAt: laterThan(change.before, now) } },
  )
  const changed = written.filter(({ before, after }) => before !== after)
  updatePayments(
    tx,
    changed.map(({ after }) => after),
  )
  updateRefunds(
    tx,
    written.flatMap(({ decided }) => decided),
    now,
  )
  insertRefunds(
    tx,
    written.flatMap(({ added }) => added),
  )
  const succeeded = ({ decided }: Change) => decided.filter(({ status }) => status === 'succeeded')
  const bookings = written.flatMap((each) => bookingsOf(each.before, each.after, succeeded(each)))
  book(tx, bookings, now)
  const events: NewEvent[] = written.flatMap((each) =>
    paymentMoved(each.before, each.after, succeeded(each)),
  )
  appendEvents(tx, world, events)
  return written
}
