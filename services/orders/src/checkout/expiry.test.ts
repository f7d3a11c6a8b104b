/** Proves that an order whose time to pay is over in the instant in which it is paid ends whole, on real PostgreSQL. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { advanceUntil } from '@quartet/kit/testing'
import { anOrderBody, call, createTestShop, type TestShop } from '../testing/shop.ts'

let shop: TestShop
before(async () => {
  shop = await createTestShop()
})
after(() => shop.close())

const WINDOW_MS = 1_800_000
const pass = (ms: number) => advanceUntil(shop.clock, shop.clock.timers.sleep(ms))

// The way of an order whose time is over, as its neighbours see it. Between two of these places orders
// decides, or writes.
const PLACES = [
  'reserve arrives',
  'reserve answers',
  'pay arrives',
  'pay answers',
  'release arrives',
  'release answers',
  'void arrives',
  'void answers',
] as const

async function read(id: string) {
  const { body } = await call(shop, `/orders/${id}`)
  return body
}

async function untilEnded(id: string): Promise<Record<string, unknown>> {
  for (let tries = 0; tries < 100; tries += 1) {
    const order = await read(id)
    if (order['status'] === 'confirmed' || order['status'] === 'canceled') return order
    await pass(100)
  }
  return assert.fail(`${id} has not ended`)
}

/** Lets an order's time run out while its customer pays at one of the places; gives how it ended. */
async function expireAsItIsPaid(id: string, method: string | undefined, paidAs: string) {
  await call(shop, '/orders', { body: anOrderBody({ id, payment_method: method }) })
  await pass(3_000)
  let isPaid = false
  shop.meeting.meet = async ({ path, when, orderIds }) => {
    const place = `${path.slice('/commands/'.length)} ${when}`
    if (place !== paidAs || !orderIds.includes(id) || isPaid) return
    isPaid = shop.payments.succeed(id, 1_000)
  }
  await shop.clock.advance(WINDOW_MS)
  const ended = await untilEnded(id)
  return { isPaid, ended }
}

function holds(id: string) {
  const payment = shop.payments.payments.get(id)
  const charges = shop.payments.charges.filter(({ order_id }) => order_id === id)
  const kept = (payment?.received ?? 0) - (payment?.refunded ?? 0)
  return { kept, charges: charges.length, stock: shop.products.held.has(id) }
}

test('rules 8, 12: wherever on the way back from its expiry an order is paid, it is confirmed, or nothing of it is kept', async () => {
  const ends: Record<string, string> = {}
  for (const [kind, method] of [
    ['later', undefined],
    ['3ds', 'pm_card_threeDSecureRequired'],
  ] as const) {
    for (const place of PLACES) {
      const id = `ord_${kind}_${PLACES.indexOf(place)}`
      const { isPaid, ended } = await expireAsItIsPaid(id, method, place)
      const isConfirmed = ended['status'] === 'confirmed'
      const expected = {
        kept: isConfirmed ? 1_000 : 0,
        charges: Number(isPaid),
        stock: isConfirmed,
      }
      assert.deepEqual(holds(id), expected, `${kind}: paid as ${place}`)
      if (!isConfirmed) assert.equal(ended['cancel_reason'], 'payment_expired')
      ends[place] = `${String(ended['payment_status'])}${isPaid ? '' : ', too late to pay'}`
    }
  }
  // Release and void are asked for at once: who pays meanwhile may come before the void or after it.
  delete ends['release arrives']
  delete ends['release answers']
  assert.deepEqual(ends, {
    'reserve arrives': 'succeeded',
    'reserve answers': 'succeeded',
    'pay arrives': 'succeeded',
    'pay answers': 'refunded',
    'void arrives': 'refunded',
    'void answers': 'canceled, too late to pay',
  })
})
