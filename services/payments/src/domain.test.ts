import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PAYMENT_STATUSES } from './contract/schemas.ts'
import {
  advanceUndo,
  bookingsOf,
  canMove,
  chargeKeyOf,
  giveUpWaiting,
  nextCalls,
  observeCharge,
  observeRefund,
  waitsForCharge,
  WORLD,
  type ChargeState,
  type Payment,
  type PaymentStatus,
  type Refund,
} from './domain.ts'
import { newPayment } from './intention.ts'

const aPayment = (changes: Partial<Payment> = {}): Payment => ({
  ...newPayment('pay_1', 'usr_1', 0),
  amount: 1_000,
  currency: 'USD',
  paymentMethod: 'pm_card_visa',
  ...changes,
})

const charge = (
  status: ChargeState['status'],
  changes: Partial<ChargeState> = {},
): ChargeState => ({
  key: 'pay_1-1',
  status,
  amountCaptured: status === 'succeeded' ? 1_000 : 0,
  code: status === 'declined' ? 'card_declined' : null,
  nextAction: status === 'requires_action' ? { type: 'redirect', url: 'http://3ds' } : null,
  ...changes,
})

test('rule 9: a payment makes exactly the moves of the table: forward only', () => {
  const allowed = PAYMENT_STATUSES.flatMap((from) =>
    PAYMENT_STATUSES.filter((to) => canMove(from, to)).map((to) => `${from} ${to}`),
  )
  assert.deepEqual(
    new Set(allowed),
    new Set([
      'requires_payment_method processing',
      'requires_payment_method canceled',
      'requires_confirmation processing',
      'requires_confirmation canceled',
      'processing requires_action',
      'processing requires_capture',
      'processing succeeded',
      'processing failed',
      'processing canceled',
      'processing requires_payment_method',
      'requires_action processing',
      'requires_action requires_capture',
      'requires_action succeeded',
      'requires_action failed',
      'requires_action canceled',
      'requires_action requires_payment_method',
      'requires_capture succeeded',
      'requires_capture canceled',
      'succeeded canceled',
      'failed canceled',
    ]),
  )
})

test('what the provider tells moves a payment where the table allows it, and nowhere else', () => {
  const told = [
    'succeeded',
    'requires_capture',
    'requires_action',
    'processing',
    'declined',
    'canceled',
  ] as const
  const reached: Record<(typeof told)[number], PaymentStatus> = {
    succeeded: 'succeeded',
    requires_capture: 'requires_capture',
    requires_action: 'requires_action',
    processing: 'processing',
    declined: 'failed',
    canceled: 'canceled',
  }
  for (const status of PAYMENT_STATUSES) {
    for (const answer of told) {
      const before = aPayment({ status })
      const after = observeCharge(before, charge(answer))
      const isHeard = waitsForCharge(status) && canMove(status, reached[answer])
      const expected = isHeard ? reached[answer] : status
      assert.equal(after.status, expected, `${status}, told ${answer}`)
    }
  }
})

test('rule 9: the answer to an earlier attempt changes nothing', () => {
  const second = aPayment({ attempt: 2, paysLater: true })
  assert.equal(observeCharge(second, charge('declined')), second)
  assert.equal(chargeKeyOf(second), 'pay_1-2')
})

test('rule 9: a decline ends a direct checkout, and leaves one that pays later open', () => {
  assert.equal(observeCharge(aPayment(), charge('declined')).status, 'failed')
  const later = observeCharge(aPayment({ paysLater: true }), charge('declined'))
  assert.deepEqual([later.status, later.code], ['requires_payment_method', 'card_declined'])
})

test('what is asked of the provider next, in every status, undone or not', () => {
  const refund = { id: 'rfd_1', paymentId: 'pay_1', amount: 1, status: 'pending' } as Refund
  const asked = (changes: Partial<Payment>) =>
    [false, true].map((undo) => nextCalls(aPayment({ ...changes, undo }), [refund])[0]?.kind)
  assert.deepEqual(asked({ status: 'processing' }), ['charge', 'cancel'])
  assert.deepEqual(asked({ status: 'requires_action' }), ['lookup', 'cancel'])
  assert.deepEqual(asked({ status: 'requires_capture' }), [undefined, 'cancel'])
  assert.deepEqual(asked({ status: 'requires_capture', captureAmount: 5 }), ['capture', 'cancel'])
  assert.deepEqual(asked({ status: 'succeeded' }), ['refund', 'refund'])
  for (const status of [
    'requires_payment_method',
    'requires_confirmation',
    'canceled',
    'failed',
  ] as const) {
    assert.deepEqual(asked({ status }), [undefined, undefined], status)
  }
})

test('rule 10: every refund that waits is asked about, none that was decided', () => {
  const refunds = (['pending', 'failed', 'pending', 'succeeded'] as const).map(
    (status, n) => ({ id: `rfd_${n}`, paymentId: 'pay_1', amount: 1, status }) as Refund,
  )
  const calls = nextCalls(aPayment({ status: 'succeeded' }), refunds)
  const ids = calls.map((each) => each.kind === 'refund' && each.refund.id)
  assert.deepEqual(ids, ['rfd_0', 'rfd_2'])
})

test('rule 9: a refund that failed gives back what it had claimed', () => {
  const payment = aPayment({ status: 'succeeded', amountReceived: 1_000, refundsClaimed: 700 })
  const refund = { id: 'rfd_1', paymentId: 'pay_1', amount: 400, status: 'pending' } as Refund
  const failed = observeRefund(payment, refund, { status: 'failed', reason: 'too_old' })
  assert.deepEqual([failed.payment.refundsClaimed, failed.payment.amountRefunded], [300, 0])
  assert.deepEqual([failed.refund.status, failed.refund.reason], ['failed', 'too_old'])
  const done = observeRefund(payment, refund, { status: 'succeeded', reason: null })
  assert.deepEqual([done.payment.refundsClaimed, done.payment.amountRefunded], [700, 400])
  const late = observeRefund(done.payment, done.refund, { status: 'failed', reason: null })
  assert.deepEqual(late, { payment: done.payment, refund: done.refund })
})

test('a buyer who has not acted for a day is no longer waited for; an order decides for itself', () => {
  const waiting = (changes: Partial<Payment> = {}) =>
    aPayment({ status: 'requires_action', updatedAt: new Date(0), ...changes })
  const dayMs = 24 * 3_600_000
  assert.equal(giveUpWaiting(waiting(), dayMs).undo, false)
  assert.equal(giveUpWaiting(waiting(), dayMs + 1).undo, true)
  assert.equal(giveUpWaiting(waiting({ orderId: 'ord_1' }), dayMs + 1).undo, false)
  assert.equal(giveUpWaiting(waiting({ status: 'requires_capture' }), dayMs + 1).undo, false)
})

test('rule 8: an undo waits for the provider where money may move, and claims what was charged', () => {
  const undone = (changes: Partial<Payment>) => advanceUndo(aPayment({ undo: true, ...changes }))
  for (const status of ['processing', 'requires_action', 'requires_capture'] as const) {
    assert.equal(undone({ status }).payment.status, status)
  }
  for (const status of ['requires_payment_method', 'requires_confirmation', 'failed'] as const) {
    assert.equal(undone({ status }).payment.status, 'canceled')
  }
  const charged = undone({
    status: 'succeeded',
    amountReceived: 1_000,
    refundsClaimed: 300,
    amountRefunded: 300,
  })
  assert.deepEqual([charged.payment.status, charged.refundAmount], ['succeeded', 700])
  assert.equal(charged.payment.refundsClaimed, 1_000)
  const waiting = undone({
    status: 'succeeded',
    amountReceived: 1_000,
    refundsClaimed: 1_000,
    amountRefunded: 300,
  })
  assert.deepEqual([waiting.payment.status, waiting.refundAmount], ['succeeded', 0])
  const given = undone({
    status: 'succeeded',
    amountReceived: 1_000,
    refundsClaimed: 1_000,
    amountRefunded: 1_000,
  })
  assert.equal(given.payment.status, 'canceled')
})

test('whatever is told in whatever order, the bookings of a payment sum to its amounts', () => {
  const told = fc.constantFrom(
    'succeeded',
    'requires_capture',
    'requires_action',
    'processing',
    'declined',
    'canceled',
  )
  const decided = fc.constantFrom('succeeded', 'failed')
  const step = fc.oneof(
    fc.record({ charge: told, amountCaptured: fc.integer({ min: 1, max: 1_000 }) }),
    fc.record({ refund: fc.integer({ min: 1, max: 700 }), decided }),
    fc.constant({ undo: true }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.boolean(), (steps, paysLater) => {
      let payment = aPayment({ paysLater })
      const booked = new Map<string, number>()
      const change = (after: Payment, refunded: Refund[] = []) => {
        for (const { id, source, amount } of bookingsOf(payment, after, refunded)) {
          assert.ok(!booked.has(id), 'booked once')
          booked.set(id, source === WORLD ? amount : -amount)
        }
        payment = after
      }
      for (const [index, each] of steps.entries()) {
        if ('charge' in each) {
          change(
            observeCharge(payment, charge(each.charge, { amountCaptured: each.amountCaptured })),
          )
        } else if ('undo' in each) {
          payment = { ...payment, undo: true }
        } else if (payment.amountReceived - payment.refundsClaimed >= each.refund) {
          const claimed = { ...payment, refundsClaimed: payment.refundsClaimed + each.refund }
          const refund = { id: `rfd_${index}`, amount: each.refund, status: 'pending' } as Refund
          const status = each.decided as 'succeeded'
          const observed = observeRefund(claimed, refund, { status, reason: null })
          change(observed.payment, status === 'succeeded' ? [observed.refund] : [])
        }
        const sum = booked.values().reduce((total, amount) => total + amount, 0)
        assert.equal(sum, payment.amountReceived - payment.amountRefunded)
        assert.ok(payment.amountRefunded <= payment.refundsClaimed)
        assert.ok(payment.refundsClaimed <= payment.amountReceived)
      }
    }),
    { numRuns: 1_000 },
  )
})
