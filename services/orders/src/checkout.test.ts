import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { anOrderBody, call, createTestShop, type TestShop } from './testing/shop.ts'

let shop: TestShop
before(async () => {
  shop = await createTestShop()
})
after(() => shop.close())

const place = (changes: Record<string, unknown> = {}, key?: string) =>
  call(shop, '/orders', { body: anOrderBody(changes), ...(key === undefined ? {} : { key }) })

const openOrders = () =>
  shop.database.db.query('select order_id from open_orders where order_id = any($1)', [
    [...shop.payments.payments.keys()],
  ])

test('an order is reserved, paid and confirmed in one request', async () => {
  const { status, headers, body } = await place({ id: 'ord_first' })
  assert.equal(status, 201)
  assert.equal(headers.get('location'), '/orders/ord_first')
  assert.equal(body['status'], 'confirmed')
  assert.equal(body['payment_status'], 'succeeded')
  assert.deepEqual(body['total'], { amount: 1000, currency: 'USD' })
  assert.deepEqual(body['tax_total'], { amount: 0, currency: 'USD' })
  assert.deepEqual(body['line_items'], [
    {
      product_id: 'prd_desk',
      name: 'Desk',
      quantity: 2,
      unit_price: { amount: 500, currency: 'USD' },
      total: { amount: 1000, currency: 'USD' },
    },
  ])
  const read = await call(shop, '/orders/ord_first')
  assert.deepEqual(read.body, body)
})

test('each refusal has its status, its code and the order id, and leaves nothing held', async () => {
  const cases = [
    [{ line_items: [{ product_id: 'prd_lamp', quantity: 4 }] }, 409, 'insufficient_stock'],
    [{ line_items: [{ product_id: 'prd_none', quantity: 1 }] }, 409, 'product_unavailable'],
    [{ expected_total: { amount: 999, currency: 'USD' } }, 409, 'price_changed'],
    [{ expected_total: { amount: 1000, currency: 'EUR' } }, 409, 'price_changed'],
    [{ line_items: [{ product_id: 'prd_ship', quantity: 2 }] }, 409, 'amount_too_large'],
    [{ payment_method: 'pm_card_chargeDeclined' }, 402, 'payment_declined'],
  ] as const
  for (const [changes, status, code] of cases) {
    const answer = await place(changes)
    assert.deepEqual([answer.status, answer.body['code']], [status, code])
    assert.match(String(answer.headers.get('content-type')), /^application\/problem\+json/)
    const id = String(answer.body['order_id'])
    const order = await call(shop, `/orders/${id}`)
    assert.equal(order.body['status'], 'canceled')
    assert.ok(!shop.products.held.has(id), code)
  }
  const declined = await place({ payment_method: 'pm_card_chargeDeclined' })
  assert.equal(declined.body['decline_code'], 'card_declined')
})

test('an order that was expected to cost what it costs is confirmed', async () => {
  const { status } = await place({ expected_total: { amount: 1000, currency: 'USD' } })
  assert.equal(status, 201)
})

test('rule 17: 20 copies of one keyed order make one order and one charge, and get one answer', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => place({}, 'key-20')))
  const ids = new Set(answers.map(({ body }) => body['id']))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201])
  assert.equal(ids.size, 1)
  const charges = shop.payments.charges.filter(({ order_id }) => ids.has(order_id))
  assert.equal(charges.length, 1)
  const replayed = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')
  assert.equal(replayed.length, 19)
})

test('rule 17: the same key with another payload is refused, for this customer only', async () => {
  const first = await place({}, 'key-reused')
  const other = await place({ line_items: [{ product_id: 'prd_desk', quantity: 3 }] }, 'key-reused')
  assert.deepEqual([other.status, other.body['code']], [422, 'idempotency_key_reused'])
  const stranger = await call(shop, '/orders', {
    body: anOrderBody(),
    key: 'key-reused',
    as: await shop.issuer.user('usr_2'),
  })
  assert.equal(stranger.status, 201)
  assert.notEqual(stranger.body['id'], first.body['id'])
})

test('a refusal is replayed as it was', async () => {
  const first = await place({ payment_method: 'pm_card_chargeDeclined' }, 'key-declined')
  const again = await place({ payment_method: 'pm_card_chargeDeclined' }, 'key-declined')
  assert.equal(again.headers.get('idempotent-replayed'), 'true')
  assert.deepEqual(again.body, first.body)
})

test('an id that another order has is refused; the same request again is not another order', async () => {
  await place({ id: 'ord_taken' })
  const repeat = await place({ id: 'ord_taken' })
  assert.equal(repeat.status, 201)
  const other = await place({
    id: 'ord_taken',
    line_items: [{ product_id: 'prd_desk', quantity: 9 }],
  })
  assert.deepEqual([other.status, other.body['code']], [409, 'id_taken'])
  const stranger = await call(shop, '/orders', {
    body: anOrderBody({ id: 'ord_taken' }),
    as: await shop.issuer.user('usr_2'),
  })
  assert.deepEqual([stranger.status, stranger.body['code']], [409, 'id_taken'])
})

test('a neighbour that is down: 202 and the pending order, which completes by itself', async () => {
  for (const neighbour of ['products.test', 'payments.test']) {
    shop.down.add(neighbour)
    const accepted = await place()
    assert.equal(accepted.status, 202, neighbour)
    assert.equal(accepted.body['status'], 'pending')
    assert.ok(accepted.headers.get('retry-after'))
    const location = String(accepted.headers.get('location'))
    shop.down.delete(neighbour)
    await shop.clock.advance(0)
    await until(async () => (await call(shop, location)).body['status'] === 'confirmed')
  }
  assert.equal((await openOrders()).length, 0)
})

test('a neighbour that fails again and again is not waited for: 202 at once, and all complete', async () => {
  shop.down.add('payments.test')
  const placed: string[] = []
  for (let n = 0; n < 6; n += 1) {
    const startedMs = shop.clock.now()
    const { status, body } = await place()
    assert.equal(status, 202)
    placed.push(String(body['id']))
    if (n > 3) assert.ok(shop.clock.now() - startedMs < 4_500, 'it did not wait for WAIT_MS')
  }
  const canceled = await call(shop, `/orders/${placed[0]}/cancel`, { method: 'POST' })
  assert.deepEqual([canceled.status, canceled.body['status']], [202, 'canceling'])
  shop.down.delete('payments.test')
  const ends = { canceled: 1, confirmed: 5 }
  await until(async () => {
    const orders = await Promise.all(placed.map((id) => call(shop, `/orders/${id}`)))
    const have = Object.groupBy(orders, ({ body }) => String(body['status']))
    return Object.entries(ends).every(([status, count]) => have[status]?.length === count)
  })
})

test('a caller is answered before it gives up, and nothing is placed for one that has', async () => {
  const late = await call(shop, '/orders', {
    body: anOrderBody({ id: 'ord_late' }),
    headers: { 'x-request-timeout-ms': '0' },
  })
  assert.deepEqual([late.status, late.body['code']], [503, 'deadline_exceeded'])
  assert.equal((await call(shop, '/orders/ord_late')).status, 404)
  const startedMs = shop.clock.now()
  const hurried = await call(shop, '/orders', {
    body: anOrderBody({ payment_method: 'pm_card_slow' }),
    headers: { 'x-request-timeout-ms': '2000' },
  })
  assert.equal(hurried.status, 202)
  const tookMs = shop.clock.now() - startedMs
  // The database takes real time, in which this clock runs on: near 2 s, and less than WAIT_MS.
  assert.ok(tookMs > 1_900 && tookMs < 4_500, `${tookMs} ms`)
})

test('rule 5: an order costs what it was quoted, whenever it is driven again', async () => {
  shop.down.add('payments.test')
  const accepted = await place()
  assert.equal(accepted.status, 202)
  const desk = shop.products.prices['prd_desk']
  assert.ok(desk)
  desk.amount += 1
  try {
    shop.down.delete('payments.test')
    const location = String(accepted.headers.get('location'))
    await until(async () => (await call(shop, location)).body['status'] === 'confirmed')
    const { body } = await call(shop, location)
    assert.deepEqual(body['total'], { amount: 1000, currency: 'USD' })
    assert.equal(shop.payments.payments.get(String(body['id']))?.received, 1000)
  } finally {
    desk.amount -= 1
  }
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await holds()) return
    await shop.meanwhile(new Promise((resolve) => setTimeout(resolve, 5)))
  }
  assert.fail('did not happen')
}

test('3-D Secure and pay-later: 202 at once, and canceled when the time to pay is over (rule 12)', async () => {
  const action = await place({ payment_method: 'pm_card_threeDSecureRequired' })
  assert.deepEqual([action.status, action.body['payment_status']], [202, 'requires_action'])
  assert.deepEqual(action.body['next_action'], { type: 'redirect', url: 'http://3ds' })
  const later = await place({ payment_method: undefined })
  assert.deepEqual([later.status, later.body['payment_status']], [202, 'requires_payment_method'])
  const ids = [action, later].map(({ body }) => String(body['id']))
  assert.ok(ids.every((id) => shop.products.held.has(id)))

  await shop.clock.advance(1_800_000)
  for (const id of ids) {
    await until(async () => (await call(shop, `/orders/${id}`)).body['status'] === 'canceled')
    const { body } = await call(shop, `/orders/${id}`)
    assert.equal(body['cancel_reason'], 'payment_expired')
    assert.ok(!shop.products.held.has(id))
  }
})

test('a payment that succeeds later confirms the order', async () => {
  const slow = await place({ payment_method: 'pm_card_slow' })
  assert.deepEqual([slow.status, slow.body['payment_status']], [202, 'processing'])
  const id = String(slow.body['id'])
  const succeeded = { outcome: 'succeeded', received: 1000, capturable: 0, refunded: 0 }
  shop.payments.payments.set(id, succeeded)
  await until(async () => (await call(shop, `/orders/${id}`)).body['status'] === 'confirmed')
})

test('canceling a confirmed order gives back stock and money, once, however often it is asked', async () => {
  const { body } = await place()
  const path = `/orders/${String(body['id'])}`
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => call(shop, `${path}/cancel`, { method: 'POST' })),
  )
  for (const answer of answers) {
    assert.equal(answer.status, 200)
    assert.equal(answer.body['status'], 'canceled')
    assert.equal(answer.body['payment_status'], 'refunded')
    assert.equal(answer.body['cancel_reason'], 'requested_by_customer')
  }
  assert.ok(!shop.products.held.has(String(body['id'])))
})

test('an order that was confirmed stays placed: its request is answered 201 after it was canceled', async () => {
  const { body } = await place({}, 'key-canceled')
  await call(shop, `/orders/${String(body['id'])}/cancel`, { method: 'POST' })
  const again = await place({}, 'key-canceled')
  assert.deepEqual([again.status, again.body['status']], [201, 'canceled'])
})

test('rule 6: a fulfilled order cannot be canceled, a canceled one not fulfilled', async () => {
  const admin = await shop.issuer.user('usr_admin', 'admin')
  const fulfilled = `/orders/${String((await place()).body['id'])}`
  const canceled = `/orders/${String((await place()).body['id'])}`
  const done = await call(shop, `${fulfilled}/fulfill`, { method: 'POST', as: admin })
  assert.deepEqual([done.status, done.body['status']], [200, 'completed'])
  assert.equal(done.body['fulfillment_status'], 'fulfilled')
  const refused = await call(shop, `${fulfilled}/cancel`, { method: 'POST' })
  assert.deepEqual([refused.status, refused.body['code']], [409, 'invalid_transition'])
  await call(shop, `${canceled}/cancel`, { method: 'POST' })
  const late = await call(shop, `${canceled}/fulfill`, { method: 'POST', as: admin })
  assert.deepEqual([late.status, late.body['code']], [409, 'invalid_transition'])
})

test('an order that is fulfilled by several at once is fulfilled for each of them', async () => {
  const as = await shop.issuer.user('usr_admin', 'admin')
  const path = `/orders/${String((await place()).body['id'])}/fulfill`
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => call(shop, path, { method: 'POST', as })),
  )
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body['status']]),
    answers.map(() => [200, 'completed']),
  )
})

test('every order has its events, numbered without gaps', async () => {
  await shop.meanwhile(new Promise((resolve) => setTimeout(resolve, 50)))
  const events = await shop.database.db.query<{ sequence: number; type: string; subject: string }>(
    'select sequence, type, subject from events order by sequence',
  )
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    events.map((_, index) => index + 1),
  )
  const first = events.filter(({ subject }) => subject === 'ord_first').map(({ type }) => type)
  assert.deepEqual(first, ['order.placed.v1', 'order.confirmed.v1'])
})
