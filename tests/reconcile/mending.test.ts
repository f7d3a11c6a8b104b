/** Proves that what is on its way is not told, that mending heals what it says it heals, and how it is told. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isClean } from '../../tools/reconcile/reconcile.ts'
import { describeReport, toJsonLines } from '../../tools/reconcile/report.ts'
import { nameOf, openSpoiled, type SpoiledShop } from './shop.fixture.ts'

let at: SpoiledShop
before(async () => {
  at = await openSpoiled()
  await at.logIn()
  const price = { amount: 1_250, currency: 'EUR' }
  const mug = { id: 'mug', name: 'Mug', description: '', category: 'Tests', price, stock: 1_000 }
  assert.equal((await at.send('http://products.test/products', mug)).status, 201)
})
after(() => at.close())

const nothing = () => Promise.resolve()
const setState = (id: string, state: string) =>
  at.sql('products', 'update reservations set state = $2 where order_id = $1', [id, state])

test('an order that has settled within the grace is not judged; after it, it is', async () => {
  const { payment } = await at.place('ord-young')
  await at.sql('payments', 'update payments set amount = amount + 1 where id = $1', [payment])
  await at.quiet()
  assert.deepEqual((await at.run(3_600_000, nothing)).differences, [])
  assert.deepEqual((await at.run(0, nothing)).differences.map(nameOf), [
    'amount_not_total ord-young',
  ])
  await at.sql('payments', 'update payments set amount = amount - 1 where id = $1', [payment])
})

test('what differs at the first look and not at the second is not told', async () => {
  await at.place('ord-moving')
  await at.quiet()
  await setState('ord-moving', 'released')
  let looked = 0
  const report = await at.run(0, () => {
    looked += 1
    return setState('ord-moving', 'sold')
  })
  assert.deepEqual([report.differences, looked], [[], 1])
})

test('what differs in another way at the second look is not told either', async () => {
  await at.place('ord-other')
  const setQuantity = (quantity: number) =>
    at.sql(
      'products',
      `update reservations set answer = jsonb_set(answer, '{lines,0,quantity}', $1)
       where order_id = 'ord-other'`,
      [quantity],
    )
  await setState('ord-other', 'released')
  const report = await at.run(0, async () => {
    await setState('ord-other', 'sold')
    await setQuantity(9)
  })
  assert.deepEqual(report.differences, [])
  await setQuantity(2)
})

test('mending has an order and a payment driven again, an order closed, events numbered', async () => {
  await at.place('ord-later', { payment_method: undefined }, 202)
  await at.place('ord-ended')
  const { payment } = await at.place('ord-unpaid')
  await at.quiet()
  await at.sql('orders', `delete from open_orders where order_id = 'ord-later'`)
  await at.sql('orders', `insert into open_orders values ('ord-ended', '2050-01-01')`)
  await at.sql(
    'payments',
    `with gone as (delete from ledger_transactions where payment_id = $1)
     delete from ledger_postings where destination = 'payments:' || $1`,
    [payment],
  )
  await at.sql(
    'payments',
    `update payments set status = 'processing', amount_received = 0 where id = $1`,
    [payment],
  )
  await at.sql(
    'users',
    `insert into outbox (id, type, subject, time, data)
     values ('evt-late', 'test.v1', 'test', '2030-01-01', '{}')`,
  )
  const [late] = await at.sql<{ position: number }>('users', 'select position from outbox')
  const { differences } = await at.run(0, nothing)
  assert.deepEqual(differences.map(nameOf).toSorted(), [
    `charged_but_not_paid ${payment}-1`,
    'confirmed_not_paid ord-unpaid',
    `events_not_numbered users ${late?.position}`,
    'settled_order_open ord-ended',
    'unfinished_order_not_open ord-later',
    `unfinished_payment_not_open ${payment}`,
  ])
  assert.equal(await at.mend(differences), 5, 'all but the order, which its payment mends')
  assert.equal(await at.mend(differences), 5, 'again, which does nothing')

  assert.deepEqual(await at.sql('users', 'select from outbox'), [], 'before the service looks')
  const open = await at.sql('orders', 'select order_id from open_orders order by 1')
  assert.deepEqual(open, [{ order_id: 'ord-later' }])
  await at.until(async () => (await at.sql('payments', 'select from open_payments')).length === 0)
  await at.quiet()
  assert.ok(isClean(await at.run(0, nothing)), 'the provider was asked, and the charge is booked')
})

test('a refund that is waited for is asked about again; one that failed wants a person', async () => {
  const { payment } = await at.place('ord-refunded')
  const url = `http://payments.test/payments/${payment}/refunds`
  for (const id of ['rfd-waits', 'rfd-failed']) {
    const body = { id, amount: { amount: 100, currency: 'EUR' } }
    assert.equal((await at.send(url, body)).status, 201)
  }
  const become = (failed: string, waits: string) =>
    at.sql(
      'payments',
      `update refunds set status = case id when 'rfd-failed' then $1 else $2 end
       where id in ('rfd-failed', 'rfd-waits')`,
      [failed, waits],
    )
  await become('failed', 'pending')
  const { differences } = await at.run(0, nothing)
  const refunds = differences.filter(({ kind }) => kind === 'refund_not_recorded')
  assert.deepEqual(
    refunds.map(({ id, nudge }) => [id, nudge?.do]),
    [
      ['rfd-waits', 'drive-payment'],
      ['rfd-failed', undefined],
    ],
  )
  await become('succeeded', 'succeeded')
})

test('a nudge that comes late does nothing', async () => {
  await at.place('ord-late')
  const { payment } = await at.place('ord-late-too')
  const late = [
    { do: 'drive-order', id: 'ord-late' },
    { do: 'drive-payment', id: payment },
    { do: 'close-order', id: 'ord-later' },
  ] as const
  const difference = { book: '', kind: '', id: '', detail: '' }
  await at.mend(late.map((nudge) => ({ ...difference, nudge })))
  const open = await at.sql('orders', 'select order_id from open_orders')
  assert.deepEqual(open, [{ order_id: 'ord-later' }], 'it waits for its buyer, and stays open')
  assert.deepEqual(await at.sql('payments', 'select from open_payments'), [])
})

test('more orders than a page, and more differences than are kept', async () => {
  await at.quiet()
  const { lines } = await at.run(0, nothing)
  const compared = lines.find(({ book }) => book === 'orders, payments')?.compared ?? 0
  await at.sql(
    'orders',
    `insert into orders (id, owner_id, request_hash, lines, capture_method, pricing_version,
       expires_at, created_at, status, payment_status, fulfillment_status, totals, payment_id,
       confirmed_at, updated_at)
     select 'many-' || n, 'usr', '', '[]', 'automatic', 1, '2030-01-01', '2030-01-01', 'confirmed',
       'succeeded', 'not_fulfilled', '{"total": 1, "currency": "EUR"}', 'pay-' || n, '2030-01-01',
       '2030-01-01'
     from generate_series(1, 2500) as n`,
  )
  const charge = { amount: 1, currency: 'EUR', payment_method: 'pm_card_visa' }
  const charges = Array.from({ length: 1_000 }, (_, n) => ({
    ...charge,
    key: `many-${n}-1`,
    capture_method: 'automatic',
    metadata: { payment_id: `many-${n}` },
  }))
  await at.askProvider('/v1/charges', { charges })
  const report = await at.run(0, nothing)
  const line = report.lines.find(({ book }) => book === 'orders, payments')
  assert.deepEqual(line, {
    book: 'orders, payments',
    noun: 'orders',
    compared: compared + 2_500,
    differences: 1_000,
    hasMore: true,
  })
  const record = report.lines.find(({ book }) => book === 'provider, payments')
  assert.deepEqual([record?.differences, record?.hasMore], [1_000, false])
  assert.ok(!isClean(report))

  const text = describeReport(report)
  assert.deepEqual(
    text.filter((each) => each.length > 80),
    [],
  )
  assert.ok(text.includes('confirmed_without_payment: 1,000'))
  assert.ok(text.includes('    and 980 more: see --json'))
  const told = toJsonLines(report).map((each) => JSON.parse(each) as Record<string, unknown>)
  const payment = told.find(({ kind }) => kind === 'confirmed_without_payment')
  assert.match(String(payment?.['by_hand']), /cancel the order/)
  assert.equal(told.filter(({ type }) => type === 'book').length, report.lines.length)
})
