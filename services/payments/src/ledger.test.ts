import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { book } from './store/ledger.ts'
import { call, createTestPayments, type TestPayments } from './testing/shop.ts'

let at: TestPayments
before(async () => {
  at = await createTestPayments()
})
after(() => at.close())

test('volumes past 2^53 are told, to the nearest number that JSON readers know; the balance is exact', async () => {
  const amount = Number.MAX_SAFE_INTEGER
  const now = new Date(at.clock.now())
  const moved = (n: number, source: string, destination: string) =>
    at.database.db.transaction(async (tx) =>
      book(
        tx,
        [
          {
            id: `charge:${n}`,
            kind: 'charge',
            paymentId: 'pay_1',
            source,
            destination,
            amount,
            currency: 'USD',
          },
        ],
        now,
      ),
    )
  for (const n of [1, 2, 3]) await moved(n, 'world', 'payments:pay_1')
  await moved(4, 'payments:pay_1', 'world')
  const read = async (path: string) => {
    const { status, body } = await call(at, path, { as: at.admin })
    assert.equal(status, 200, path)
    return body['data']
  }
  assert.deepEqual(await read('/ledger/balance'), [
    { currency: 'USD', charged: 3 * amount, refunded: amount, sum_of_balances: 0 },
  ])
  const world = { account: 'world', currency: 'USD', input: amount, output: 3 * amount }
  assert.deepEqual(await read('/ledger/accounts/world'), [{ ...world, balance: -2 * amount }])
  assert.deepEqual(await read('/ledger/accounts'), [
    {
      account: 'payments:pay_1',
      currency: 'USD',
      input: 3 * amount,
      output: amount,
      balance: 2 * amount,
    },
    { ...world, balance: -2 * amount },
  ])
})
