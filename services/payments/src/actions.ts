/** Owns the verbs of a single payment: each writes its intention in one transaction; work.ts carries it out. */
import { findErased, holdErasures } from '@quartet/kit/erased-subjects'
import type { Transaction } from '@quartet/kit/postgres'
import type { Money } from '@quartet/kit/schema'
import { canMove, refundableOf, undone, type Payment, type Refund } from './domain.ts'
import { intend, openNew, toWork, type Dependencies } from './intention.ts'
import { findRefund } from './store/refunds.ts'
import { findPayments, findPaymentsOfOrders, lockPayments } from './store.ts'
import type { Work } from './work.ts'

export type CreateOutcome =
  | { kind: 'created' | 'exists'; payment: Payment; work: Work[] }
  | { kind: 'id_taken' }
  | OwnerErased

/** Whoever asked is erased, and a token was still good. */
type OwnerErased = { kind: 'owner_erased' }

// Asked first of all: an erasure is recorded before this payment and refuses it, or after it is there to
// be forgotten (rule 22). What `pay` asks for isn't refused: its order was accepted.
async function isErased(tx: Transaction, ownerId: string): Promise<boolean> {
  holdErasures(tx)
  return (await findErased(tx, [ownerId])).has(ownerId)
}

/** Creates a payment of one's own. `exists`: the same payment is there already. */
export async function createPayment(world: Dependencies, payment: Payment): Promise<CreateOutcome> {
  return world.db.transaction(async (tx) => {
    if (await isErased(tx, payment.ownerId)) return { kind: 'owner_erased' }
    const [mine] = await openNew(world, tx, [payment])
    if (mine !== undefined) return { kind: 'created', payment: mine, work: toWork([mine]) }
    const found = (await findPayments(tx, [payment.id])).get(payment.id)
    const isSame =
      found?.ownerId === payment.ownerId &&
      found.orderId === null &&
      found.amount === payment.amount &&
      found.currency === payment.currency &&
      found.captureMethod === payment.captureMethod &&
      found.paymentMethod === payment.paymentMethod
    return isSame ? { kind: 'exists', payment: found, work: [] } : { kind: 'id_taken' }
  })
}

/** A single payment's verb: what came of it, with the work that it leaves. */
export type VerbOutcome =
  | { kind: 'done'; payment: Payment; work: Work[] }
  | { kind: 'not_found' }
  | OwnerErased
  | { kind: 'amount_mismatch'; payment: Payment }
  | { kind: 'invalid_transition'; payment: Payment }

type Attach = {
  orderId: string
  ownerId: string
  /** What the customer thinks that it costs, where he says so. */
  amount?: Money | undefined
  method: string
}

/**
 * Attaches a payment method to an order's payment that waits for one: the next attempt begins, and
 * only one is open at a time (rule 9).
 */
export async function attachMethod(world: Dependencies, attach: Attach): Promise<VerbOutcome> {
  return world.db.transaction(async (tx): Promise<VerbOutcome> => {
    if (await isErased(tx, attach.ownerId)) return { kind: 'owner_erased' }
    const found = (await findPaymentsOfOrders(tx, [attach.orderId])).get(attach.orderId)
    if (found === undefined || found.ownerId !== attach.ownerId || found.amount === null) {
      return { kind: 'not_found' }
    }
    const payment = (await lockPayments(tx, [found.id])).get(found.id) ?? found
    const { amount = payment } = attach
    if (payment.amount !== amount.amount || payment.currency !== amount.currency) {
      return { kind: 'amount_mismatch', payment }
    }
    if (payment.status !== 'requires_payment_method' || payment.undo) {
      return { kind: 'invalid_transition', payment }
    }
    return done(
      await intend(world, tx, [payment.id], (current) => ({
        ...current,
        status: 'processing',
        paymentMethod: attach.method,
        attempt: current.attempt + 1,
        code: null,
      })),
    )
  })
}

function done(work: Work[]): VerbOutcome {
  const [first] = work
  return first === undefined
    ? { kind: 'not_found' }
    : { kind: 'done', payment: first.payment, work }
}

/** Cancels a payment that isn't charged yet: whatever the provider still does is undone. */
export function cancelPayment(world: Dependencies, id: string): Promise<VerbOutcome> {
  return move(
    world,
    id,
    'canceled',
    ({ status }) => status !== 'failed' && status !== 'succeeded',
    undone,
  )
}

/** Asks to capture an authorised payment, all of it or `amount` (minor units). Only once. */
export function capturePayment(
  world: Dependencies,
  id: string,
  amount: number | undefined,
): Promise<VerbOutcome> {
  const wantedOf = (payment: Payment) => amount ?? payment.amount
  const canCapture = (payment: Payment) =>
    payment.status === 'requires_capture' &&
    !payment.undo &&
    (payment.captureAmount ?? wantedOf(payment)) === wantedOf(payment)
  return move(world, id, 'succeeded', canCapture, (payment) => ({
    ...payment,
    captureAmount: wantedOf(payment),
  }))
}

async function move(
  world: Dependencies,
  id: string,
  to: 'canceled' | 'succeeded',
  isPossible: (payment: Payment) => boolean,
  edit: (payment: Payment) => Payment,
): Promise<VerbOutcome> {
  return world.db.transaction(async (tx): Promise<VerbOutcome> => {
    const payment = (await lockPayments(tx, [id])).get(id)
    if (payment === undefined || payment.amount === null) return { kind: 'not_found' }
    const isUnderWay = to === 'canceled' && payment.undo
    if (payment.status === to || isUnderWay) return { kind: 'done', payment, work: [] }
    if (!isPossible(payment) || !canMove(payment.status, to)) {
      return { kind: 'invalid_transition', payment }
    }
    return done(await intend(world, tx, [id], edit))
  })
}

export type RefundOutcome =
  | { kind: 'refunding'; refund: Refund; work: Work[] }
  | { kind: 'not_found' | 'id_taken' }
  | { kind: 'wrong_currency'; payment: Payment }
  | { kind: 'invalid_transition'; payment: Payment }
  | { kind: 'exceeds_remaining'; payment: Payment; remaining: number }

/** Claims a refund on the locked payment before the provider is asked (rule 9); without an amount all that remains. */
export async function openRefund(
  world: Dependencies,
  wanted: {
    id: string
    paymentId: string
    amount: number | undefined
    currency: string | undefined
    isKeyed: boolean
  },
): Promise<RefundOutcome> {
  const { id, paymentId } = wanted
  return world.db.transaction(async (tx): Promise<RefundOutcome> => {
    const payment = (await lockPayments(tx, [paymentId])).get(paymentId)
    if (payment === undefined || payment.amount === null) return { kind: 'not_found' }
    if ((wanted.currency ?? payment.currency) !== payment.currency) {
      return { kind: 'wrong_currency', payment }
    }
    const made = await findRefund(tx, id)
    if (made !== undefined) {
      // Ours only when a key says that we may have asked for it before.
      const isSame = made.paymentId === paymentId && (wanted.amount ?? made.amount) === made.amount
      const isMine = wanted.isKeyed && isSame
      return isMine ? { kind: 'refunding', refund: made, work: [] } : { kind: 'id_taken' }
    }
    if (payment.status !== 'succeeded' || payment.undo) {
      return { kind: 'invalid_transition', payment }
    }
    const remaining = refundableOf(payment)
    const amount = wanted.amount ?? remaining
    if (amount > remaining || amount === 0) {
      return { kind: 'exceeds_remaining', payment, remaining }
    }
    const now = new Date(world.clock.now())
    const base = { id, paymentId, amount, status: 'pending', reason: null } as const
    const refund: Refund = { ...base, createdAt: now, updatedAt: now }
    const claim = (current: Payment) => ({
      ...current,
      refundsClaimed: current.refundsClaimed + amount,
    })
    return {
      kind: 'refunding',
      refund,
      work: await intend(world, tx, [paymentId], claim, [refund]),
    }
  })
}
