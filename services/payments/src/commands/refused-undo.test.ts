import assert from 'node:assert/strict'
import { after, before, mock, test } from 'node:test'
import {
  anOrder,
  askProvider,
  chargedFor,
  createTestPayments,
  pay,
  voidOrders,
  type TestPayments,
} from '../testing/shop.ts'

let at: TestPayments
before(async () => {
  at = await createTestPayments()
})
after(() => at.close())

const sleep = (delayMs: number) => at.meanwhile(at.clock.timers.sleep(delayMs))

test('rule 8: a refund that is refused for good keeps its undo waiting: seldom tried, and told', async () => {
  const order = anOrder()
  const [paid] = await pay(at, [order])
  // Somebody gave the money back by hand, so that the provider refuses to give it back again.
  const body = { key: 'by_hand', charge_key: `${paid?.payment_id}-1`, amount: 1_000 }
  await askProvider(at, '/v1/refunds', { refunds: [body] })
  const errors = mock.method(console, 'error', () => {})
  // As orders asks: again and again.
  for (let tries = 0; tries < 20; tries += 1) {
    const [outcome] = await voidOrders(at, [order])
    assert.equal(outcome?.outcome, 'processing')
    await sleep(2_000)
  }
  errors.mock.restore()
  const refunds = await at.database.db.query<{ status: string }>(
    'select status from refunds where payment_id = $1 order by position',
    [paid?.payment_id],
  )
  const failed = refunds.filter(({ status }) => status === 'failed')
  assert.ok(failed.length >= 2 && failed.length <= 4, `${failed.length} refunds failed`)
  assert.equal(refunds.length, failed.length + 1, 'one waits')
  assert.equal(errors.mock.callCount(), failed.length)
  assert.match(String(errors.mock.calls[0]?.arguments[0]), /refused to give money back/)
  assert.deepEqual(await chargedFor(at, order.order_id), [
    ['charged', 1_000],
    ['refunded', 1_000],
  ])
})
