/** Proves that an order that waits for its customer asks nobody while it waits, and misses nothing. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { advanceUntil } from '@quartet/kit/testing'
import type { Moment } from '../testing/neighbours.ts'
import {
  anOrderBody,
  applyPaymentEvent,
  call,
  createTestShop,
  type TestShop,
} from '../testing/shop.ts'

let shop: TestShop
before(async () => {
  shop = await createTestShop()
})
beforeEach(() => (shop.meeting.meet = () => Promise.resolve()))
after(() => shop.close())

// Half a lease and a little: whoever applied the event here does not wake anybody, as if it had died then.
const WOKEN_WITHIN_MS = 6_000
const WINDOW_MS = 1_800_000
const pass = (ms: number) => advanceUntil(shop.clock, shop.clock.timers.sleep(ms))

type Row = { status: string; payment_status: string; sleeps: boolean | null }

async function rowOf(id: string): Promise<Row | undefined> {
  const [row] = await shop.database.db.query<Row>(
    `select status, payment_status, drive_at = expires_at as sleeps
     from orders left join open_orders on order_id = id where id = $1`,
    [id],
  )
  return row
}

/** Lets time pass until the row says so; gives how long that took by the shop's clock. */
async function until(id: string, holds: (row: Row) => boolean, limitMs = 10_000): Promise<number> {
  const sinceMs = shop.clock.now()
  for (;;) {
    const row = await rowOf(id)
    if (row !== undefined && holds(row)) return shop.clock.now() - sinceMs
    assert.ok(shop.clock.now() - sinceMs < limitMs, `not within ${limitMs} ms: ${row?.status}`)
    await pass(100)
  }
}

const isConfirmed = ({ status }: Row) => status === 'confirmed'
const isAsleep = ({ sleeps }: Row) => sleeps === true

/** The places where something can happen: around the first two looks, or once the order sleeps. */
const PLACES = [
  'first look answers',
  'second look arrives',
  'second look answers',
  'asleep',
] as const
type Place = (typeof PLACES)[number]
const LOOKS = ['', 'first', 'second']

/** Has `happen` called at the first two looks at a payment; a place comes once. */
function atLooks(id: string, happen: (place: string) => Promise<void>): () => number {
  let asked = 0
  shop.meeting.meet = async ({ path, when, orderIds }: Moment) => {
    if (path !== '/commands/pay' || !orderIds.includes(id)) return
    if (when === 'arrives') asked += 1
    await happen(`${LOOKS[asked] ?? 'later'} look ${when}`)
  }
  return () => asked
}

const WAITING = {
  later: undefined,
  '3ds': 'pm_card_threeDSecureRequired',
}

const placeOrder = (id: string, payment_method: string | undefined) =>
  call(shop, '/orders', { body: anOrderBody({ id, payment_method }) })

const cases = PLACES.flatMap((ended, from) =>
  PLACES.slice(from).flatMap((applied) =>
    Object.entries(WAITING).map(([kind, method]) => ({ ended, applied, kind, method })),
  ),
)

test('rule 12: wherever a payment ends and its event comes, while the wait for it is being written, the order is confirmed at once', async () => {
  for (const [n, { ended, applied, kind, method }] of cases.entries()) {
    const id = `ord_${kind}_${n}`
    const done: string[] = []
    const happen = async (place: string) => {
      if (place === ended && !done.includes('ended')) {
        done.push('ended')
        assert.ok(shop.payments.succeed(id, 1_000))
      }
      if (place === applied && !done.includes('applied')) {
        done.push('applied')
        await applyPaymentEvent(shop, id)
      }
    }
    atLooks(id, happen)
    const { status } = await placeOrder(id, method)
    assert.equal(status, 202)
    if (([ended, applied] as Place[]).includes('asleep') && !(await rowOf(id).then(isOver))) {
      await until(id, (row) => isAsleep(row) || isOver(row))
      await happen('asleep')
    }
    const title = `${kind}: ended as ${ended}, applied as ${applied}`
    const tookMs = await until(id, isConfirmed).catch((error: unknown) => {
      throw new Error(title, { cause: error })
    })
    assert.ok(tookMs < WOKEN_WITHIN_MS, `${title}: after ${tookMs} ms`)
    assert.equal(shop.payments.charges.filter(({ order_id }) => order_id === id).length, 1)
  }
})

const isOver = (row: Row | undefined) => row?.status === 'confirmed'

test('rule 12: nobody is asked while an order waits for its customer', async () => {
  for (const [kind, method] of Object.entries(WAITING)) {
    const id = `ord_idle_${kind}`
    const asked = atLooks(id, () => Promise.resolve())
    await placeOrder(id, method)
    await until(id, isAsleep)
    assert.equal(asked(), 2, 'once to find it waiting, once to be sure')
    await pass(60_000)
    assert.equal(asked(), 2, 'still')
    assert.equal((await rowOf(id))?.sleeps, true)
  }
})

test('rule 12: one whose event never came is asked about when its time is over, and confirmed if it was paid', async () => {
  for (const [kind, method] of Object.entries(WAITING)) {
    const id = `ord_deaf_${kind}`
    await placeOrder(id, method)
    await until(id, isAsleep)
    shop.payments.succeed(id, 1_000)
    await pass(5_000)
    assert.equal((await rowOf(id))?.sleeps, true, 'it was not told')
    await shop.clock.advance(WINDOW_MS)
    await until(id, isConfirmed)
  }
})

test('an order that is to be paid later shows what its customer must do, and what the next card wants', async () => {
  const id = 'ord_later_3ds'
  await placeOrder(id, undefined)
  await until(id, isAsleep)
  const payment = { received: 0, capturable: 0, refunded: 0 }
  shop.payments.payments.set(id, { ...payment, outcome: 'requires_action' })
  await applyPaymentEvent(shop, id, 'payment.action_required.v1')
  await until(
    id,
    ({ payment_status, sleeps }) => payment_status === 'requires_action' && sleeps === true,
  )
  const shown = await call(shop, `/orders/${id}`)
  assert.deepEqual(shown.body['next_action'], { type: 'redirect', url: 'http://3ds' })
  shop.payments.payments.set(id, { ...payment, outcome: 'requires_payment_method' })
  await applyPaymentEvent(shop, id, 'payment.failed.v1')
  await until(id, (row) => row.payment_status === 'requires_payment_method' && isAsleep(row))
  assert.equal((await call(shop, `/orders/${id}`)).body['next_action'], null)
  shop.payments.succeed(id, 1_000)
  await applyPaymentEvent(shop, id)
  assert.ok((await until(id, isConfirmed)) < WOKEN_WITHIN_MS)
})

test('an order that is to be paid later asks its customer once payments can take the money, and not before', async () => {
  const id = 'ord_later_down'
  shop.down.add('payments.test')
  const placed = placeOrder(id, undefined)
  await until(id, (row) => row.status === 'pending')
  await pass(10_000)
  const shown = await call(shop, `/orders/${id}`)
  const total = shown.body['total']
  assert.deepEqual(
    [total, shown.body['payment_status']],
    [{ amount: 1_000, currency: 'USD' }, 'processing'],
  )
  assert.deepEqual(await saidOf(id), ['order.placed.v1'])
  shop.down.delete('payments.test')
  await until(id, isAsleep)
  await placed
  const asked = await call(shop, `/orders/${id}`)
  assert.equal(asked.body['payment_status'], 'requires_payment_method')
  assert.deepEqual(await saidOf(id), ['order.placed.v1', 'order.action_required.v1'])
})

async function saidOf(id: string): Promise<string[]> {
  const rows = await shop.database.db.query<{ type: string }>(
    `select type from (
       select 0 as unnumbered, sequence as n, type, subject from events
       union all select 1, position, type, subject from outbox) as log
     where subject = $1 order by unnumbered, n`,
    [id],
  )
  return rows.map(({ type }) => type)
}

test('rule 13: orders that wait for their customers take no room of those under way', async () => {
  const small = await createTestShop({ MAX_OPEN_ORDERS: '2' })
  const place = () => call(small, '/orders', { body: anOrderBody({ payment_method: undefined }) })
  try {
    const answers = []
    for (let n = 0; n < 6; n += 1) {
      answers.push((await place()).status)
      await advanceUntil(small.clock, small.clock.timers.sleep(2_000))
    }
    assert.deepEqual(answers, [202, 202, 202, 202, 202, 202])
    const [row] = await small.database.db.query<{ open: number }>(
      'select count(*) as open from open_orders',
    )
    assert.equal(row?.open, 6)
  } finally {
    await small.close()
  }
})
