import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTestDatabase, whileHeld, type TestDatabase } from '@quartet/kit/testing'
import { paymentsService } from './app.ts'
import type { Payment } from './domain.ts'
import { newPayment } from './intention.ts'
import { insertPayments, lockPayments } from './store.ts'

let database: TestDatabase
before(async () => {
  database = await createTestDatabase(paymentsService)
})
after(() => database.drop())

const aPayment = (id: string, orderId: string | null): Payment => ({
  ...newPayment(id, 'usr_1', 0),
  orderId,
  amount: 1_000,
  currency: 'USD',
})

const insert = (...payments: Payment[]) =>
  database.db.transaction((tx) => insertPayments(tx, payments))

test('rule 15: payments are locked in the order of their ids, as stored or as asked', async () => {
  for (const id of ['pay_z', 'pay_a']) await insert(aPayment(id, null))
  const lock = 'select id from payments where id = $1 for update skip locked'
  await whileHeld(database.db, (tx) => tx.query(lock, ['pay_a']), {
    work: () => database.db.transaction((tx) => lockPayments(tx, ['pay_z', 'pay_a'])),
    look: async () => assert.equal((await database.db.query(lock, ['pay_z'])).length, 1),
  })
})

test('rule 15: payments are claimed in the order of their orders’ ids', async () => {
  // The payments' own ids are random: they stand the other way round.
  const [last, first] = [aPayment('pay_1', 'ord_z'), aPayment('pay_2', 'ord_a')]
  const inserted = await whileHeld(database.db, (tx) => insertPayments(tx, [first]), {
    work: () => insert(last, { ...first, id: 'pay_3' }),
    // It would wait, and time out, if the claim on the last order had been made already.
    look: () => insert({ ...last, id: 'pay_4' }),
  })
  assert.deepEqual([...inserted], [], 'both had been claimed by others')
})
