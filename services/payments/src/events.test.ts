/** Proves that payments publishes what its examples say, and reads what those of users say. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createErasure } from '@quartet/kit/erasure'
import { createTestDatabase, createTestWorld } from '@quartet/kit/testing'
import {
  assertErasedByExamples,
  assertPublishedAsExamples,
} from '@quartet/kit/testing/event-examples'
import { paymentsService } from './app.ts'
import type { Payment, Refund } from './domain.ts'
import { paymentMoved, usersSubscription } from './events.ts'
import { newPayment } from './intention.ts'

const before: Payment = {
  ...newPayment('pay_1', 'usr_1', 0),
  updatedAt: new Date(1),
  orderId: 'ord_1',
  amount: 1_000,
  currency: 'USD',
}

const refund: Refund = {
  id: 'rfd_1',
  paymentId: 'pay_1',
  amount: 1_000,
  status: 'succeeded',
  reason: null,
  createdAt: new Date(0),
  updatedAt: new Date(0),
}

test('rule 21: what is published is what the examples say', () => {
  const reached = (status: Payment['status'], code: string | null = null) =>
    paymentMoved(before, { ...before, status, code }, [])
  assertPublishedAsExamples(
    { source: '/payments', folder: new URL('../events/', import.meta.url) },
    [
      ...reached('requires_action'),
      ...reached('requires_capture'),
      ...reached('succeeded'),
      ...reached('failed', 'insufficient_funds'),
      ...reached('canceled'),
      ...paymentMoved(before, before, [refund]),
    ],
  )
})

test('a decline that leaves an order’s payment open is told as one that ends it', () => {
  const declined: Payment = {
    ...before,
    status: 'requires_payment_method',
    code: 'insufficient_funds',
  }
  assert.deepEqual(
    paymentMoved(before, declined, []).map(({ type }) => type),
    ['payment.failed.v1'],
  )
})

test('what is the first thing to become of a payment is marked as answered, unless it is paid later', () => {
  const unanswered = { ...before, updatedAt: before.createdAt }
  const isMarked = (from: Payment, to: Payment['status']) => {
    const [said] = paymentMoved(from, { ...from, status: to }, [])
    assert.ok(said)
    return said.data['answered'] === true
  }
  for (const to of ['succeeded', 'requires_capture', 'requires_action', 'failed'] as const) {
    assert.equal(isMarked(unanswered, to), true, to)
    assert.equal(isMarked(before, to), false, `${to}, after another change`)
    assert.equal(isMarked({ ...unanswered, paysLater: true }, to), false, `${to}, paid later`)
  }
  assert.equal(isMarked({ ...unanswered, status: 'requires_action' }, 'succeeded'), false)
})

test('rule 22: the examples of users, also with fields that are new, say who is erased', async () => {
  const { db, drop } = await createTestDatabase(paymentsService)
  const erasure = createErasure(createTestWorld({ config: {}, db }))
  const token = () => Promise.resolve('')
  await assertErasedByExamples(db, usersSubscription(erasure, 'http://users.test', token))
  await drop()
})
