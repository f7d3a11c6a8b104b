import assert from 'node:assert/strict'
import { after, afterEach, before, mock, test } from 'node:test'
import {
  anOrder,
  call,
  chargedFor,
  checkBooks,
  createTestPayments,
  pay,
  payUntilFinal,
  settle,
  voidOrders,
  voidUntilFinal,
  type TestPayments,
} from '../testing/shop.ts'

let at: TestPayments
before(async () => {
  at = await createTestPayments()
})
afterEach(() => checkBooks(at))
after(() => at.close())

const outcomesOf = (outcomes: { outcome: string }[]) => outcomes.map(({ outcome }) => outcome)

test('an order is paid: one charge at the provider, one booking, one event', async () => {
  const order = anOrder()
  const [outcome] = await pay(at, [order])
  assert.deepEqual(outcome, {
    order_id: order.order_id,
    payment_id: outcome?.payment_id,
    outcome: 'succeeded',
    amount_received: 1_000,
    amount_capturable: 0,
    currency: 'USD',
    code: null,
    next_action: null,
  })
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('20 copies of one pay command at once, over two replicas: one charge, one answer', async () => {
  const order = anOrder()
  const other = await at.open()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => pay(at, [order], n % 2 === 0 ? other : at.app)),
  )
  const final = await payUntilFinal(at, order)
  assert.equal(final.outcome, 'succeeded')
  const told = new Set(answers.flatMap(outcomesOf))
  assert.ok([...told].every((outcome) => outcome === 'succeeded' || outcome === 'processing'))
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('rule 1: a decline is recorded and is the answer for ever', async () => {
  const order = anOrder({ payment_method: 'pm_card_chargeDeclinedInsufficientFunds' })
  const [first] = await pay(at, [order])
  assert.deepEqual([first?.outcome, first?.code], ['declined', 'insufficient_funds'])
  assert.deepEqual(await pay(at, [{ ...order, payment_method: 'pm_card_visa' }]), [first])
  assert.deepEqual(await chargedFor(at, order.order_id), [])
})

test('rule 2: the same order with another amount, currency or owner is in conflict', async () => {
  const order = anOrder()
  await pay(at, [order])
  const others = [
    { ...order, amount: { amount: 999, currency: 'USD' } },
    { ...order, amount: { amount: 1_000, currency: 'EUR' } },
    { ...order, owner_id: 'usr_2' },
  ]
  for (const other of others) assert.deepEqual(outcomesOf(await pay(at, [other])), ['conflict'])
  const foreign = { order_id: order.order_id, owner_id: 'usr_2' }
  assert.deepEqual(outcomesOf(await voidOrders(at, [foreign])), ['conflict'])
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('rule 4: a slow card never holds its batch; it is answered processing, then what it became', async () => {
  const slow = anOrder({ payment_method: 'pm_card_slow' })
  const declined = anOrder({ payment_method: 'pm_card_slowDeclined' })
  const quick = anOrder()
  const outcomes = outcomesOf(await pay(at, [slow, quick, declined]))
  assert.deepEqual(outcomes, ['processing', 'succeeded', 'processing'])
  assert.equal((await payUntilFinal(at, slow)).outcome, 'succeeded')
  assert.equal((await payUntilFinal(at, declined)).outcome, 'declined')
  assert.deepEqual(await chargedFor(at, slow.order_id), [['charged', 1_000]])
})

test('rules 7, 10: an answer that is lost is asked for again by the same key: one charge', async () => {
  for (const payment_method of ['pm_card_lostAnswer', 'pm_card_lostConnection']) {
    const order = anOrder({ payment_method })
    const [first] = await pay(at, [order])
    assert.equal(first?.outcome, 'processing', payment_method)
    assert.equal((await payUntilFinal(at, order)).outcome, 'succeeded')
    assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
  }
})

test('rule 10: a replica that died between its commit and the provider’s answer is taken over', async () => {
  const order = anOrder()
  const dead = await at.open(async (url, init) =>
    url.startsWith('http://provider.test') ? new Promise(() => {}) : at.network(url, init),
  )
  const [first] = await pay(at, [order], dead)
  await at.meanwhile(dead.stop())
  assert.equal(first?.outcome, 'processing')
  assert.deepEqual(await chargedFor(at, order.order_id), [])
  assert.equal((await payUntilFinal(at, order)).outcome, 'succeeded')
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('rule 8: a void leaves a tombstone that refuses a late pay', async () => {
  const order = anOrder()
  assert.deepEqual(outcomesOf(await voidOrders(at, [order])), ['canceled'])
  assert.deepEqual(outcomesOf(await pay(at, [order])), ['canceled'])
  assert.deepEqual(await chargedFor(at, order.order_id), [])
  const { body } = await call(at, `/payments?order_id=${order.order_id}`, { as: at.admin })
  assert.deepEqual(body['data'], [], 'a tombstone is not shown')
})

test('rule 8: a void of what was charged gives all of it back, once, before it is acknowledged', async () => {
  const order = anOrder()
  await pay(at, [order])
  const answers = await Promise.all(Array.from({ length: 10 }, () => voidUntilFinal(at, order)))
  for (const answer of answers) {
    assert.deepEqual([answer.outcome, answer.amount_refunded], ['canceled', 1_000])
  }
  assert.deepEqual(await chargedFor(at, order.order_id), [
    ['charged', 1_000],
    ['refunded', 1_000],
  ])
  assert.deepEqual(outcomesOf(await pay(at, [order])), ['canceled'])
})

test('rule 8: a void while the provider still decides ends with nothing kept', async () => {
  for (const payment_method of [
    'pm_card_slow',
    'pm_card_lostAnswer',
    'pm_card_threeDSecureRequired',
  ]) {
    const order = anOrder({ payment_method })
    await pay(at, [order])
    assert.equal((await voidUntilFinal(at, order)).outcome, 'canceled')
    await at.meanwhile(at.clock.timers.sleep(10_000))
    const moved = await chargedFor(at, order.order_id)
    const sum = moved.reduce(
      (total, [type, amount]) => total + (type === 'refunded' ? -amount : amount),
      0,
    )
    assert.equal(sum, 0, payment_method)
    assert.equal((await payUntilFinal(at, order)).outcome, 'canceled')
  }
})

test('rule 8: an undo that waits is not acknowledged, and already refuses every pay', async () => {
  const silent = await at.open(async (url, init) =>
    url.startsWith('http://provider.test') ? new Promise(() => {}) : at.network(url, init),
  )
  const order = anOrder()
  await pay(at, [order])
  assert.deepEqual(outcomesOf(await voidOrders(at, [order], silent)), ['processing'])
  await at.meanwhile(silent.stop())
  assert.deepEqual(outcomesOf(await pay(at, [order])), ['canceled'])
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
  assert.equal((await voidUntilFinal(at, order)).amount_refunded, 1_000)
})

test('pay and void at the same time, many times: nothing is kept', async () => {
  const orders = Array.from({ length: 30 }, () => anOrder())
  await Promise.all(orders.flatMap((order) => [pay(at, [order]), voidOrders(at, [order])]))
  for (const order of orders) {
    assert.equal((await voidUntilFinal(at, order)).outcome, 'canceled')
    const moved = await chargedFor(at, order.order_id)
    assert.ok(moved.length === 0 || moved.length === 2)
  }
})

test('3-D Secure: the answer says where the buyer goes, and ends as the buyer decides', async () => {
  const order = anOrder({ payment_method: 'pm_card_threeDSecureRequired' })
  const [outcome] = await pay(at, [order])
  assert.equal(outcome?.outcome, 'requires_action')
  const url = String(outcome?.next_action?.url)
  const approve = new Request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'decision=approve',
  })
  await at.provider.fetch(approve)
  for (let tries = 0; ; tries += 1) {
    const [now] = await pay(at, [order])
    if (now?.outcome === 'succeeded') break
    assert.ok(tries < 50, String(now?.outcome))
    await at.meanwhile(at.clock.timers.sleep(1_000))
  }
})

test('a payment that begins to wait for its buyer says so, without where to', async () => {
  const order = anOrder({ payment_method: 'pm_card_threeDSecureRequired' })
  const [outcome] = await pay(at, [order])
  assert.equal(outcome?.outcome, 'requires_action')
  const events = await at.database.db.query<{ type: string; data: Record<string, unknown> }>(
    `select type, data from (select subject, type, data from events union all
       select subject, type, data from outbox) as said where subject = $1`,
    [outcome.payment_id],
  )
  const data = {
    payment_id: outcome.payment_id,
    order_id: order.order_id,
    owner_id: order.owner_id,
    ...order.amount,
    amount_received: 0,
    amount_refunded: 0,
    code: null,
    answered: true,
  }
  assert.deepEqual(events, [{ type: 'payment.action_required.v1', data }])
})

test('rule 16: a bad item never fails its neighbours', async () => {
  const bad = [
    null,
    { order_id: 'ord_bad' },
    anOrder({ payment_method: 'visa' }),
    anOrder({ amount: { amount: 1.5, currency: 'USD' } }),
    anOrder({ amount: { amount: -1, currency: 'USD' } }),
    anOrder({ amount: { amount: 1, currency: 'QQQ' } }),
    anOrder({ owner_id: 'a\0b' }),
  ]
  const outcomes = outcomesOf(
    await pay(
      at,
      bad.flatMap((item) => [anOrder(), item as object]),
    ),
  )
  assert.deepEqual(
    outcomes,
    bad.flatMap(() => ['succeeded', 'invalid']),
  )
})

test('rule 16: an answer that cannot be stored stays with its own payment', async () => {
  const orders = Array.from({ length: 9 }, () => anOrder())
  const [odd] = orders.slice(4)
  const replica = await at.open(async (url, init) => {
    const response = await at.network(url, init)
    if (!url.endsWith('/v1/charges')) return response
    const { outcomes } = (await response.json()) as { outcomes: { key: string }[] }
    const asked = JSON.parse(init?.body as string) as {
      charges: { metadata: { order_id: string } }[]
    }
    const told = outcomes.map((outcome, index) =>
      asked.charges[index]?.metadata.order_id === odd?.order_id
        ? { ...outcome, amount_captured: 1_001 }
        : outcome,
    )
    return Response.json({ outcomes: told })
  })
  const errors = mock.method(console, 'error', () => {})
  const told = outcomesOf(await pay(at, orders, replica))
  const expected = orders.map((order) => (order === odd ? 'processing' : 'succeeded'))
  assert.deepEqual(told, expected)
  await replica.stop()
  await settle(at)
  errors.mock.restore()
  assert.ok(errors.mock.callCount() > 0, 'it was logged')
  assert.deepEqual(
    outcomesOf(await pay(at, orders)),
    orders.map(() => 'succeeded'),
  )
})

test('an order that costs nothing is paid without the provider', async () => {
  const order = anOrder({ amount: { amount: 0, currency: 'USD' } })
  const [outcome] = await pay(at, [order])
  assert.equal(outcome?.outcome, 'succeeded')
  assert.deepEqual(await chargedFor(at, order.order_id), [])
  await at.meanwhile(at.clock.timers.sleep(1_000))
  const events = await at.database.db.query('select type from events where subject = $1', [
    outcome?.payment_id,
  ])
  assert.deepEqual(events, [{ type: 'payment.succeeded.v1' }])
})

test('manual capture authorises, and an admin captures: once, all or less', async () => {
  const order = anOrder({ capture_method: 'manual' })
  const [outcome] = await pay(at, [order])
  assert.deepEqual([outcome?.outcome, outcome?.amount_capturable], ['requires_capture', 1_000])
  const path = `/payments/${outcome?.payment_id}`
  const capture = {
    method: 'PUT',
    body: { status: 'succeeded', amount_to_capture: { amount: 600, currency: 'USD' } },
  }
  assert.equal((await call(at, path, capture)).status, 403)
  const tooMuch = {
    ...capture,
    as: at.admin,
    body: { status: 'succeeded', amount_to_capture: { amount: 1_001, currency: 'USD' } },
  }
  assert.equal((await call(at, path, tooMuch)).status, 400)
  const captured = await call(at, path, { ...capture, as: at.admin })
  assert.deepEqual([captured.status, captured.body['amount_received']], [200, 600])
  assert.equal((await call(at, path, { ...capture, as: at.admin })).status, 200)
  assert.deepEqual(await chargedFor(at, order.order_id), [['captured', 600]])
  assert.equal((await voidUntilFinal(at, order)).amount_refunded, 600)
})

test('commands are for the orders service, each token for one of them', async () => {
  const body = { items: [anOrder()] }
  const tokens = {
    'an admin': [at.admin, 403],
    'another service': [await at.issuer.service('products', 'payments', 'pay'), 403],
    'another scope': [await at.issuer.service('orders', 'payments', 'void'), 403],
    'another audience': [await at.issuer.service('orders', 'products', 'pay'), 401],
    nobody: [null, 401],
  } as const
  for (const [who, [as, expected]] of Object.entries(tokens)) {
    assert.equal((await call(at, '/commands/pay', { body, as })).status, expected, who)
  }
})
