/** Owns how an intention is written: what is to be done to payments, leased to whoever then asks the provider. */
import { appendEvents } from '@quartet/kit/events'
import type { Transaction } from '@quartet/kit/postgres'
import type { World } from '@quartet/kit/world'
import type { Config } from './config.ts'
import { nextCalls, type Payment, type Refund } from './domain.ts'
import { paymentMoved } from './events.ts'
import { openPayments } from './store/open-payments.ts'
import { findPendingRefunds } from './store/refunds.ts'
import { insertPayments, lockPayments } from './store.ts'
import { withUndo, writeChanges, type Change, type Work } from './work.ts'

export type Dependencies = Pick<World<Config>, 'config' | 'db' | 'clock' | 'ids'>

const leaseOf = ({ clock, config }: Dependencies) => new Date(clock.now() + config.LEASE_MS)

/** Inserts payments whose id and order are free, and leases those that the provider is to be asked about. */
export async function openNew(
  world: Dependencies,
  tx: Transaction,
  payments: Payment[],
): Promise<Payment[]> {
  const inserted = await insertPayments(tx, payments)
  const mine = payments.filter(({ id }) => inserted.has(id))
  const driveAt = leaseOf(world)
  const asked = mine.filter((payment) => nextCalls(payment, []).length > 0)
  openPayments(
    tx,
    asked.map(({ id }) => ({ paymentId: id, driveAt })),
  )
  // What costs nothing has succeeded already.
  const paid = mine.filter(({ status }) => status === 'succeeded')
  const said = paid.flatMap((after) => paymentMoved({ ...after, status: 'processing' }, after, []))
  appendEvents(tx, world, said)
  return mine
}

/** The work that new payments leave. */
export const toWork = (payments: Payment[]): Work[] =>
  payments.map((payment) => ({ payment, refunds: [], attempts: 0 }))

/** A payment before anything is known of it but whose it is. */
export function newPayment(id: string, ownerId: string, nowMs: number): Payment {
  const now = new Date(nowMs)
  return {
    id,
    orderId: null,
    ownerId,
    amount: null,
    currency: null,
    captureMethod: 'automatic',
    paysLater: false,
    createdAt: now,
    status: 'processing',
    paymentMethod: null,
    attempt: 1,
    undo: false,
    captureAmount: null,
    amountCapturable: 0,
    amountReceived: 0,
    refundsClaimed: 0,
    amountRefunded: 0,
    code: null,
    nextAction: null,
    updatedAt: now,
  }
}

/** Locks payments, applies an intention, takes an undo as far as it goes, and leases what is left to ask. */
export async function intend(
  world: Dependencies,
  tx: Transaction,
  ids: string[],
  edit: (payment: Payment) => Payment,
  added: Refund[] = [],
): Promise<Work[]> {
  if (ids.length === 0) return []
  const now = new Date(world.clock.now())
  const [locked, waiting] = await Promise.all([lockPayments(tx, ids), findPendingRefunds(tx, ids)])
  const pending = Map.groupBy(waiting, ({ paymentId }) => paymentId)
  const changes = [...locked.values()].map((before): Change => {
    const refunds = [...(pending.get(before.id) ?? []), ...added]
    return withUndo(world, { before, after: edit(before), refunds, decided: [], added }, now)
  })
  const written = await writeChanges(world, tx, changes, now)
  const driveAt = leaseOf(world)
  const open = written.filter(({ after, refunds }) => nextCalls(after, refunds).length > 0)
  openPayments(
    tx,
    open.map(({ after }) => ({ paymentId: after.id, driveAt })),
  )
  return written.map(({ after, refunds }) => ({ payment: after, refunds, attempts: 0 }))
}
