/** Proves that books which agree are found to agree, and that each difference is found by its name. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isClean } from '../../tools/reconcile/reconcile.ts'
import { openSpoiled, type SpoiledShop } from './shop.fixture.ts'

let at: SpoiledShop
before(async () => {
  at = await openSpoiled()
  await at.logIn()
  const price = { amount: 1_250, currency: 'EUR' }
  const mug = { name: 'Mug', description: '', category: 'Tests', price }
  for (const id of ['mug', 'cup', 'bowl', 'jug']) {
    const { status } = await at.send('http://products.test/products', { ...mug, id, stock: 1_000 })
    assert.equal(status, 201)
  }
})
after(() => at.close())

const charge = (key: string, payment_id: string, changes: object = {}) => ({
  key,
  amount: 2_500,
  currency: 'EUR',
  payment_method: 'pm_card_visa',
  capture_method: 'automatic',
  metadata: { payment_id },
  ...changes,
})

/** A payment of its own, without an order. */
async function pay(id: string, changes: object = {}, status = 201): Promise<string> {
  await at.logIn()
  const amount = { amount: 2_500, currency: 'EUR' }
  const body = { id, amount, payment_method: 'pm_card_visa', ...changes }
  assert.equal((await at.send('http://payments.test/payments', body)).status, status)
  return id
}

const refund = async (payment: string, id: string, amount: number) => {
  const body = { id, amount: { amount, currency: 'EUR' } }
  const { status } = await at.send(`http://payments.test/payments/${payment}/refunds`, body)
  assert.equal(status, 201)
}

test('a shop in which everything has happened: its books agree', async () => {
  await at.place('ord-paid')
  await at.place('ord-twice', {
    line_items: [
      { product_id: 'mug', quantity: 1 },
      { product_id: 'cup', quantity: 3 },
    ],
  })
  await at.place('ord-declined', { payment_method: 'pm_card_chargeDeclined' }, 402)
  await at.place('ord-short', { line_items: [{ product_id: 'mug', quantity: 9_999 }] }, 409)
  const expected_total = { amount: 1, currency: 'EUR' }
  await at.place('ord-dearer', { expected_total }, 409)
  await at.place('ord-lost', { payment_method: 'pm_card_lostAnswer' })
  await at.place('ord-later', { payment_method: undefined }, 202)
  const held = await at.place('ord-held', { capture_method: 'manual' })
  const captured = await at.place('ord-captured', { capture_method: 'manual' })
  const capture = { status: 'succeeded', amount_to_capture: { amount: 2_000, currency: 'EUR' } }
  const url = `http://payments.test/payments/${captured.payment}`
  assert.equal((await at.send(url, capture, 'PUT')).status, 200)
  for (const id of ['ord-back', 'ord-held-back', 'ord-later-back']) {
    const capture_method = id === 'ord-held-back' ? 'manual' : 'automatic'
    const isLater = id === 'ord-later-back'
    const changes = { capture_method, ...(isLater ? { payment_method: undefined } : {}) }
    await at.place(id, changes, isLater ? 202 : 201)
    const canceled = await at.send(`http://orders.test/orders/${id}/cancel`, {})
    assert.equal(canceled.body['status'], 'canceled', JSON.stringify(canceled.body))
  }
  const done = await at.place('ord-done')
  assert.equal((await at.send('http://orders.test/orders/ord-done/fulfill', {})).status, 200)
  await refund(done.payment, 'rfd-part', 500)
  await pay('pay-own')
  assert.notEqual(held.payment, captured.payment)

  await at.quiet()
  const report = await at.run(0, () => assert.fail('nothing has to be looked at twice'))
  assert.deepEqual(report.differences, [])
  assert.ok(isClean(report))
  const compared = Object.fromEntries(report.lines.map((line) => [line.book, line.compared]))
  assert.deepEqual(compared, {
    // All but the one that waits for its buyer.
    'orders, reservations': 12,
    // Without those that were canceled or refused.
    'reservations, orders': 7,
    'stock, movements': 4,
    'orders, payments': 12,
    // ord-short has none.
    'payments, orders': 12,
    'payments, ledger': 9,
    'payments, provider': 8,
    'provider, payments': 9,
    'orders, open_orders': 1,
    'payments, open_payments': 0,
    'orders, events': 12,
    'events of users': 1,
    'events of products': 4,
    'events of orders': 30,
    'events of payments': 17,
    'readers, events': 5,
  })
})

test('a confirmed order without a reservation', async () => {
  await at.place('ord-1')
  await at.sql('products', `delete from reservations where order_id = 'ord-1'`)
  assert.deepEqual(await at.found(), ['confirmed_without_reservation ord-1'])
})

test('a confirmed order whose reservation was released, or holds other units', async () => {
  const line_items = [{ product_id: 'cup', quantity: 1 }]
  await at.place('ord-2', { line_items })
  await at.sql('products', `update reservations set state = 'released' where order_id = 'ord-2'`)
  assert.deepEqual(await at.found(), ['confirmed_without_reservation ord-2'])
  await at.place('ord-3')
  await at.sql(
    'products',
    `update reservations set answer = jsonb_set(answer, '{lines,0,quantity}', '9')
     where order_id = 'ord-3'`,
  )
  assert.deepEqual(await at.found(), ['reserved_other_units ord-3'])
})

test('a confirmed order whose units are reserved is as good as one whose are sold', async () => {
  await at.place('ord-reserved', { line_items: [{ product_id: 'jug', quantity: 1 }] })
  const [reservation] = await at.sql(
    'products',
    `select state from reservations where order_id = 'ord-reserved'`,
  )
  assert.deepEqual(reservation, { state: 'sold' })
  await at.sql(
    'products',
    `with unsold as (update reservations set state = 'reserved' where order_id = 'ord-reserved'),
       moved as (delete from movements where order_id = 'ord-reserved' and kind = 'Sale')
     update stock set stocked = stocked + 1, reserved = reserved + 1 where product_id = 'jug'`,
  )
  assert.deepEqual(await at.found(), [])
})

test('an order that was canceled and keeps its units and its money', async () => {
  await at.place('ord-4')
  await at.sql(
    'orders',
    `update orders set status = 'canceled', cancel_reason = 'conflict' where id = 'ord-4'`,
  )
  assert.deepEqual(await at.found(), [
    'canceled_but_paid ord-4',
    'order_without_event ord-4',
    'reserved_for_canceled_order ord-4',
  ])
})

test('an order that was canceled while its payment waits to be captured', async () => {
  const { payment } = await at.place('ord-5', { capture_method: 'manual' })
  await at.send('http://orders.test/orders/ord-5/cancel', {})
  await at.sql(
    'payments',
    `update payments set status = 'requires_capture', undo = false where id = $1`,
    [payment],
  )
  assert.deepEqual(await at.found(), [
    'canceled_payment_open ord-5',
    `held_but_not_authorized ${payment}`,
  ])
})

test('units and money held for orders that do not exist', async () => {
  await at.sql(
    'products',
    `insert into reservations
       (order_id, owner_id, fingerprint, state, answer, created_at, updated_at)
     values ('ord-ghost', 'usr', '', 'reserved', '{"lines": []}', '2030-01-01', '2030-01-01')`,
  )
  assert.deepEqual(await at.found(), ['reserved_for_no_order ord-ghost'])
  const payment = await pay('pay-ghost')
  await at.sql('payments', `update payments set order_id = 'ord-ghost' where id = $1`, [payment])
  assert.deepEqual(await at.found(), ['paid_for_no_order pay-ghost'])
})

test('levels of stock that their movements and reservations do not explain', async () => {
  const bowl = (set: string) =>
    at.sql('products', `update stock set ${set} where product_id = 'bowl'`)
  await bowl('stocked = stocked + 1')
  assert.deepEqual(await at.found(), ['stocked_not_moved bowl'])
  await bowl('reserved = reserved + 1')
  assert.deepEqual(await at.found(), ['reserved_not_held bowl', 'reserved_not_moved bowl'])
  await at.sql(
    'products',
    `with moved as (
       insert into movements (id, product_id, kind, stocked_delta, reserved_delta, created_at)
       values ('mov-jug', 'jug', 'Allocation', 0, 1, '2030-01-01'))
     update stock set reserved = reserved + 1 where product_id = 'jug'`,
  )
  assert.deepEqual(await at.found(), ['reserved_not_held jug'])
  await at.sql(
    'products',
    `insert into movements (id, product_id, kind, stocked_delta, reserved_delta, created_at)
     values ('mov-none', 'no-such', 'Adjustment', 5, 0, '2030-01-01')`,
  )
  assert.deepEqual(await at.found(), ['stocked_not_moved no-such'])
})

test('a confirmed order whose payment is missing, or not paid, or another’s', async () => {
  const { payment } = await at.place('ord-6')
  await at.sql('payments', 'delete from payments where id = $1', [payment])
  assert.deepEqual(await at.found(), [
    `charge_unknown_to_payments ${payment}-1`,
    'confirmed_without_payment ord-6',
    `ledger_transaction_unknown charge:${payment}-1`,
  ])
  const unpaid = await at.place('ord-7')
  await at.sql('payments', `update payments set status = 'failed' where id = $1`, [unpaid.payment])
  assert.deepEqual(await at.found(), ['confirmed_not_paid ord-7'])
  await at.place('ord-8')
  await at.sql('orders', `update orders set payment_id = 'pay-other' where id = 'ord-8'`)
  assert.deepEqual(await at.found(), ['confirmed_without_payment ord-8'])
})

test('a payment for another amount than its order’s total', async () => {
  const { payment } = await at.place('ord-9')
  await at.sql('payments', 'update payments set amount = amount + 1 where id = $1', [payment])
  assert.deepEqual(await at.found(), ['amount_not_total ord-9'])
})

test('a charge, a refund and a posting that the ledger lacks, or has otherwise', async () => {
  const payment = await pay('pay-1')
  await refund(payment, 'rfd-1', 700)
  const forget = (id: string) =>
    at.sql(
      'payments',
      `with gone as (delete from ledger_transactions where id = $1)
       delete from ledger_postings where transaction_id = $1`,
      [id],
    )
  await forget('charge:pay-1-1')
  assert.deepEqual(await at.found(), ['ledger_transaction_missing charge:pay-1-1'])
  await forget('refund:rfd-1')
  assert.deepEqual(await at.found(), ['ledger_transaction_missing refund:rfd-1'])
  for (const [id, change] of [
    ['pay-2', 'update ledger_postings set amount = amount + 1 where'],
    ['pay-3', `update ledger_postings set source = 'nobody' where`],
    ['pay-4', 'delete from ledger_postings where'],
  ] as const) {
    await pay(id)
    await at.sql('payments', `${change} transaction_id = 'charge:${id}-1'`)
    assert.deepEqual(await at.found(), [`ledger_posting_differs charge:${id}-1`], change)
  }
  await at.sql(
    'payments',
    `insert into ledger_postings values ('charge:none', 'world', 'payments:none', 1, 'EUR')`,
  )
  await at.sql(
    'payments',
    `insert into ledger_transactions (id, kind, payment_id, created_at)
     values ('charge:other', 'charge', 'pay-other', '2030-01-01')`,
  )
  assert.deepEqual(await at.found(), [
    'ledger_transaction_unknown charge:none',
    'ledger_transaction_unknown charge:other',
  ])
})

test('a charge at the provider that payments does not know, or a second one', async () => {
  await at.askProvider('/v1/charges', { charges: [charge('pay-none-1', 'pay-none')] })
  assert.deepEqual(await at.found(), ['charge_unknown_to_payments pay-none-1'])
  await pay('pay-5')
  await at.askProvider('/v1/charges', { charges: [charge('pay-5-2', 'pay-5')] })
  assert.deepEqual(await at.found(), ['charged_twice pay-5-2'])
  await at.place('ord-10', { payment_method: 'pm_card_chargeDeclined' }, 402)
  const [row] = await at.sql<{ id: string }>(
    'payments',
    `select id from payments where order_id = 'ord-10'`,
  )
  await at.askProvider('/v1/charges', { charges: [charge(`${row?.id}-2`, String(row?.id))] })
  assert.deepEqual(await at.found(), [`charged_but_not_paid ${row?.id}-2`])
})

test('a payment that payments takes for paid and that the provider never charged', async () => {
  await pay('pay-6', { payment_method: 'pm_card_chargeDeclined' }, 402)
  await at.sql(
    'payments',
    `with booked as (insert into ledger_transactions (id, kind, payment_id, created_at)
         values ('charge:pay-6-1', 'charge', 'pay-6', '2030-01-01')),
       posted as (insert into ledger_postings
         values ('charge:pay-6-1', 'world', 'payments:pay-6', 2500, 'EUR'))
     update payments set status = 'succeeded', amount_received = amount where id = 'pay-6'`,
  )
  assert.deepEqual(await at.found(), ['paid_but_not_charged pay-6'])
})

test('another amount at the provider than payments received', async () => {
  await pay('pay-7')
  await at.sql(
    'payments',
    `with posted as (update ledger_postings set amount = 2400 where transaction_id = 'charge:pay-7-1')
     update payments set amount_received = 2400 where id = 'pay-7'`,
  )
  assert.deepEqual(await at.found(), ['charge_amount_differs pay-7-1'])
})

test('a refund at the provider that payments does not know, or knows otherwise', async () => {
  await pay('pay-8')
  const given = { key: 'rfd-none', charge_key: 'pay-8-1', amount: 100 }
  await at.askProvider('/v1/refunds', { refunds: [given] })
  assert.deepEqual(await at.found(), ['refund_unknown_to_payments rfd-none'])
  await refund('pay-8', 'rfd-2', 200)
  const set = (amount: number, status: string) =>
    at.sql(
      'payments',
      `with posted as (
         update ledger_postings set amount = $1 where transaction_id = 'refund:rfd-2')
       update refunds set amount = $1, status = $2 where id = 'rfd-2'`,
      [amount, status],
    )
  await set(201, 'succeeded')
  assert.deepEqual(await at.found(), ['refund_amount_differs rfd-2'])
  await set(200, 'failed')
  assert.deepEqual(await at.found(), [
    'ledger_transaction_unknown refund:rfd-2',
    'refund_not_recorded rfd-2',
  ])
  await pay('pay-9')
  await at.sql(
    'payments',
    `update payments set refunds_claimed = 300, amount_refunded = 300 where id = 'pay-9'`,
  )
  assert.deepEqual(await at.found(), ['refunded_but_not_given_back pay-9'])
})

test('an event log with a gap, another counter, or events that nobody numbers', async () => {
  await at.sql(
    'users',
    `insert into events select n, 'evt-' || n, 'test.v1', 'test', '2030-01-01', '{}'
     from generate_series(2, 9) as n where n not in (5, 6)`,
  )
  await at.sql('users', 'update event_counter set last_sequence = 9')
  assert.deepEqual(await at.found(), ['event_gap users'])
  await at.sql('products', 'update event_counter set last_sequence = last_sequence + 1')
  assert.deepEqual(await at.found(), ['event_counter_differs products'])
  await at.sql(
    'users',
    `insert into outbox (id, type, subject, time, data)
     values ('evt-late', 'test.v1', 'test', '2030-01-01', '{}')`,
  )
  const [waiting] = await at.sql<{ position: number }>('users', 'select position from outbox')
  assert.deepEqual(await at.foundAtOnce(), [`events_not_numbered users ${waiting?.position}`])
})

test('an order that has ended and is driven, one that is pending and is not, one of which no event tells', async () => {
  const open = (id: string) =>
    at.sql('orders', `insert into open_orders (order_id, drive_at) values ($1, '2050-01-01')`, [id])
  await at.place('ord-11')
  await open('ord-11')
  assert.deepEqual(await at.found(), ['settled_order_open ord-11'])
  await open('ord-none')
  assert.deepEqual(await at.found(), ['open_order_unknown ord-none'])
  await at.place('ord-12', { payment_method: undefined }, 202)
  await at.sql('orders', `delete from open_orders where order_id = 'ord-12'`)
  assert.deepEqual(await at.found(), ['unfinished_order_not_open ord-12'])
  await at.place('ord-13')
  await at.place('ord-14')
  await at.sql('orders', `delete from events where subject = 'ord-13' and type ~ 'confirmed'`)
  assert.deepEqual(await at.found(), ['event_gap orders', 'order_without_event ord-13'])
})

test('a payment that waits for the provider, and that nobody asks about', async () => {
  await pay('pay-10')
  await at.sql(
    'payments',
    `with booked as (delete from ledger_transactions where payment_id = 'pay-10'),
       posted as (delete from ledger_postings where transaction_id = 'charge:pay-10-1')
     update payments set status = 'processing', amount_received = 0 where id = 'pay-10'`,
  )
  assert.deepEqual(await at.found(), [
    'charged_but_not_paid pay-10-1',
    'unfinished_payment_not_open pay-10',
  ])
})

test('a reader that stands still, ran ahead, is not known, or has set events aside', async () => {
  const move = (position: string) =>
    at.sql('products', `update subscriptions set position = ${position} where source = 'orders'`)
  const know = (acknowledged: string) =>
    at.sql(
      'orders',
      `update subscribers set acknowledged = ${acknowledged} where name = 'products'`,
    )
  await at.quiet()
  const [subscription] = await at.sql<{ position: number }>(
    'products',
    `select position from subscriptions where source = 'orders'`,
  )
  const { position = 0 } = subscription ?? {}
  await know('0')
  await move(`${position} - 1`)
  assert.deepEqual(await at.foundAtOnce(), [`events_not_read products orders ${position - 1}`])
  await move(`${position} + 1`)
  assert.deepEqual(await at.foundAtOnce(), ['reader_ahead_of_log products orders'])
  await move(`${position} - 1`)
  await know(`${position}`)
  assert.deepEqual(await at.foundAtOnce(), ['acknowledged_but_not_read products orders'])
  await move(`${position}`)
  await at.sql('orders', 'delete from subscribers')
  assert.deepEqual(await at.foundAtOnce(), ['reader_not_registered products orders'])
  await at.sql(
    'products',
    `insert into set_aside_events
       (source, sequence, id, type, subject, time, data, reason, set_aside_at)
     values ('orders', 1, 'evt', 'test.v1', 'ord-1', '2030-01-01', '{}', '', '2030-01-01')`,
  )
  assert.deepEqual(await at.foundAtOnce(), ['event_set_aside products orders ord-1'])
  await move('0')
  await at.sql('orders', 'delete from events where sequence < 10')
  assert.deepEqual(await at.foundAtOnce(), [
    'events_gone_unread products orders',
    'events_not_read products orders 0',
  ])
})

test('every name has been found above', async () => {
  const { kinds } = await at.run(0, () => Promise.resolve())
  const found = new Set([...at.known].map((name) => name.split(' ')[0]))
  assert.deepEqual(
    Object.keys(kinds).filter((kind) => !found.has(kind)),
    [],
  )
})
