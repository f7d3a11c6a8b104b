import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
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
  type TestPayments,
} from './testing/shop.ts'

let at: TestPayments
before(async () => {
  at = await createTestPayments()
})
afterEach(() => checkBooks(at))
after(() => at.close())

const ascending = (a: number, b: number) => a - b

const aPayment = (changes: Record<string, unknown> = {}) => ({
  amount: { amount: 2_500, currency: 'USD' },
  payment_method: 'pm_card_visa',
  ...changes,
})

test('a payment of one’s own is created, read and listed; nobody else sees it', async () => {
  const created = await call(at, '/payments', { body: aPayment({ id: 'pay-mine' }) })
  assert.equal(created.status, 201)
  assert.equal(created.headers.get('location'), '/payments/pay-mine')
  assert.deepEqual(
    [created.body['status'], created.body['amount_received'], created.body['owner_id']],
    ['succeeded', 2_500, 'usr_1'],
  )
  assert.deepEqual((await call(at, '/payments/pay-mine')).body, created.body)
  const { body } = await call(at, '/payments')
  assert.ok((body['data'] as { id: string }[]).some(({ id }) => id === 'pay-mine'))
  const stranger = await at.issuer.user('usr_2')
  const hidden = await call(at, '/payments/pay-mine', { as: stranger })
  assert.deepEqual([hidden.status, hidden.body['error']], [404, 'Payment not found'])
  assert.deepEqual((await call(at, '/payments', { as: stranger })).body['data'], [])
  assert.equal((await call(at, '/payments/pay-mine', { as: at.admin })).status, 200)
  for (const id of ['pay_none', 'a%00b', 'x'.repeat(99)]) {
    assert.equal((await call(at, `/payments/${id}`)).status, 404)
    const put = { method: 'PUT', body: { status: 'canceled' } }
    assert.equal((await call(at, `/payments/${id}`, put)).status, 404)
  }
})

test('a decline is a 402 that says why', async () => {
  const answer = await call(at, '/payments', {
    body: aPayment({ payment_method: 'pm_card_chargeDeclinedExpiredCard' }),
  })
  assert.deepEqual(
    [answer.status, answer.body['code'], answer.body['decline_code']],
    [402, 'payment_declined', 'expired_card'],
  )
  const read = await call(at, `/payments/${String(answer.body['payment_id'])}`)
  assert.equal(read.body['status'], 'failed')
})

test('bad input is a 400 problem that names the field', async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ amount: 2_500 }, 'amount'],
    [{ amount: { amount: 0, currency: 'USD' } }, 'amount.amount'],
    [{ amount: { amount: 1.5, currency: 'USD' } }, 'amount.amount'],
    [{ amount: { amount: 1e15, currency: 'USD' } }, 'amount.amount'],
    [{ amount: { amount: 1, currency: 'DOLLAR' } }, 'amount.currency'],
    [{ payment_method: '4242 4242 4242 4242' }, 'payment_method'],
    [{ payment_method: undefined }, 'payment_method'],
    [{ status: 'succeeded' }, 'status'],
    [{ owner_id: 'usr_2' }, 'owner_id'],
    [{ id: 'a b' }, 'id'],
    [{ id: 'mine', order_id: 'ord_1' }, 'id'],
    [{ amount: undefined }, 'amount'],
  ]
  for (const [changes, field] of cases) {
    const { status, body } = await call(at, '/payments', { body: aPayment(changes) })
    const fields = (body['errors'] as { field: string }[] | undefined)?.map((error) => error.field)
    assert.deepEqual([status, [...new Set(fields)]], [400, [field]])
  }
})

test('rule 3: a payment never opens an order; it only pays one that waits, by its owner, in full', async () => {
  const squat = await call(at, '/payments', { body: aPayment({ order_id: 'ord_future' }) })
  assert.equal(squat.status, 404)

  const order = anOrder({ payment_method: null })
  const [opened] = await pay(at, [order])
  assert.equal(opened?.outcome, 'requires_payment_method')
  const body = aPayment({ order_id: order.order_id, amount: order.amount })
  const stranger = await at.issuer.user('usr_2')
  assert.equal((await call(at, '/payments', { body, as: stranger })).status, 404)
  const short = { ...body, amount: { amount: 999, currency: 'USD' } }
  const mismatch = await call(at, '/payments', { body: short })
  assert.deepEqual([mismatch.status, mismatch.body['code']], [409, 'amount_mismatch'])

  const euros = { ...body, amount: { amount: 1_000, currency: 'EUR' } }
  assert.equal((await call(at, '/payments', { body: euros })).status, 409)

  const paid = await call(at, '/payments', { body })
  assert.deepEqual([paid.status, paid.body['id']], [201, opened?.payment_id])
  assert.equal((await payUntilFinal(at, order)).outcome, 'succeeded')
  const again = await call(at, '/payments', { body })
  assert.deepEqual([again.status, again.body['code']], [409, 'invalid_transition'])
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('rule 3: nobody but the order itself cancels its payment, and nobody marks it paid', async () => {
  const order = anOrder({ payment_method: null })
  const [opened] = await pay(at, [order])
  const path = `/payments/${opened?.payment_id}`
  for (const as of [at.customer, at.admin]) {
    const cancel = await call(at, path, { method: 'PUT', body: { status: 'canceled' }, as })
    assert.deepEqual([cancel.status, cancel.body['code']], [409, 'belongs_to_order'])
  }
  const paid = await call(at, path, { method: 'PUT', body: { status: 'succeeded' }, as: at.admin })
  assert.deepEqual([paid.status, paid.body['code']], [409, 'invalid_transition'])
})

test('rule 9: after a decline another card may pay, as the next attempt', async () => {
  const order = anOrder({ payment_method: null })
  await pay(at, [order])
  // The order knows what it costs.
  const attach = (payment_method: string) =>
    call(at, '/payments', { body: { order_id: order.order_id, payment_method } })
  const declined = await attach('pm_card_chargeDeclined')
  assert.deepEqual([declined.status, declined.body['order_id']], [402, order.order_id])
  const paid = await attach('pm_card_mastercard')
  assert.deepEqual([paid.status, paid.body['attempt'], paid.body['code']], [201, 2, null])
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('rule 9: two cards at once, for one order: one attempt is open at a time', async () => {
  const order = anOrder({ payment_method: null })
  await pay(at, [order])
  const body = aPayment({ order_id: order.order_id, amount: order.amount })
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => call(at, '/payments', { body })),
  )
  const statuses = answers.map(({ status }) => status).toSorted(ascending)
  assert.deepEqual(statuses, [201, 409, 409, 409, 409, 409, 409, 409])
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('a card that comes after the void pays nothing', async () => {
  const order = anOrder({ payment_method: null })
  await pay(at, [order])
  const body = aPayment({ order_id: order.order_id, amount: order.amount })
  const [paid] = await Promise.all([call(at, '/payments', { body }), voidOrders(at, [order])])
  assert.ok([201, 202, 409].includes(paid.status))
  await at.meanwhile(at.clock.timers.sleep(20_000))
  const moved = await chargedFor(at, order.order_id)
  assert.ok(moved.length === 0 || moved.length === 2)
  assert.equal((await payUntilFinal(at, order)).outcome, 'canceled')
})

test('20 copies of one keyed payment: one charge and one answer', async () => {
  const copies = Array.from({ length: 20 }, () =>
    call(at, '/payments', { body: aPayment(), key: 'pay-20' }),
  )
  const answers = await Promise.all(copies)
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201])
  const ids = new Set(answers.map(({ body }) => String(body['id'])))
  assert.equal(ids.size, 1)
  assert.deepEqual(await chargedFor(at, [...ids].join()), [['charged', 2_500]])
})

test('rule 17: a key whose replica died finds the payment it made', async () => {
  const send = () => call(at, '/payments', { body: aPayment(), key: 'died' })
  const first = await send()
  await at.database.db.query('update idempotency_keys set answer = null')
  await at.clock.advance(60_000)
  const second = await send()
  assert.deepEqual([second.status, second.body['id']], [201, first.body['id']])
})

test('an id is taken once', async () => {
  await call(at, '/payments', { body: aPayment({ id: 'pay-twice' }) })
  for (const as of [at.customer, await at.issuer.user('usr_2')]) {
    const again = await call(at, '/payments', { body: aPayment({ id: 'pay-twice' }), as })
    assert.deepEqual([again.status, again.body['code']], [409, 'id_taken'])
  }
  const repeat = { body: aPayment({ id: 'pay-twice' }), key: 'lost-answer' }
  assert.equal((await call(at, '/payments', repeat)).status, 201)
  const other = { body: aPayment({ id: 'pay-twice', capture_method: 'manual' }), key: 'another' }
  assert.equal((await call(at, '/payments', other)).status, 409)
  assert.deepEqual(await chargedFor(at, 'pay-twice'), [['charged', 2_500]])
})

test('PUT moves a payment along its state machine and no further', async () => {
  const { body } = await call(at, '/payments', { body: aPayment({ capture_method: 'manual' }) })
  const path = `/payments/${String(body['id'])}`
  const put = (status: string, as = at.customer) =>
    call(at, path, { method: 'PUT', body: { status }, as })
  assert.equal(body['status'], 'requires_capture')
  assert.equal((await put('requires_capture')).status, 200, 'the same status again')
  const impossible = await put('processing')
  assert.deepEqual([impossible.status, impossible.body['code']], [409, 'invalid_transition'])
  assert.equal((await put('paid')).status, 400)
  const canceled = await put('canceled')
  assert.deepEqual([canceled.status, canceled.body['status']], [200, 'canceled'])
  assert.equal((await put('succeeded', at.admin)).status, 409)
  const charged = await call(at, '/payments', { body: aPayment() })
  const late = { method: 'PUT', body: { status: 'canceled' } }
  assert.equal((await call(at, `/payments/${String(charged.body['id'])}`, late)).status, 409)
})

test('refunds give back a part or the rest, never more, also at once', async () => {
  const { body } = await call(at, '/payments', { body: aPayment() })
  const path = `/payments/${String(body['id'])}/refunds`
  const refund = (amount?: number, key?: string) =>
    call(at, path, {
      body: amount === undefined ? {} : { amount: { amount, currency: 'USD' } },
      as: at.admin,
      ...(key === undefined ? {} : { key }),
    })
  assert.equal((await call(at, path, { body: {} })).status, 403)
  const part = await refund(500)
  assert.deepEqual([part.status, part.body['status']], [201, 'succeeded'])
  const tooMuch = await refund(2_001)
  assert.deepEqual([tooMuch.status, tooMuch.body['code']], [409, 'refund_exceeds_remaining'])
  const race = await Promise.all([refund(1_500), refund(1_500)])
  assert.deepEqual(race.map(({ status }) => status).toSorted(ascending), [201, 409])
  const copies = await Promise.all(Array.from({ length: 5 }, () => refund(undefined, 'rest')))
  assert.equal(new Set(copies.map(({ body: { id } }) => id)).size, 1)
  const read = await call(at, `/payments/${String(body['id'])}`)
  assert.equal(read.body['amount_refunded'], 2_500)
  const { body: list } = await call(at, `${path}?limit=2`)
  assert.equal((list['data'] as unknown[]).length, 2)
  assert.ok(list['next_cursor'])
})

test('a refund is in the currency of its payment, and its id is taken once', async () => {
  const { body } = await call(at, '/payments', { body: aPayment() })
  const path = `/payments/${String(body['id'])}/refunds`
  const refund = (changes: Record<string, unknown>, key?: string) =>
    call(at, path, {
      body: { id: 'rfd-mine', amount: { amount: 100, currency: 'USD' }, ...changes },
      as: at.admin,
      ...(key === undefined ? {} : { key }),
    })
  const euros = await refund({ amount: { amount: 100, currency: 'EUR' } })
  const fields = (euros.body['errors'] as { field: string }[]).map(({ field }) => field)
  assert.deepEqual([euros.status, fields], [400, ['amount.currency']])
  assert.equal((await refund({})).status, 201)
  const again = await refund({})
  assert.deepEqual([again.status, again.body['code']], [409, 'id_taken'])
  const more = { amount: { amount: 200, currency: 'USD' } }
  assert.equal((await refund(more, 'another-amount')).status, 409)
  const repeated = await refund({}, 'lost-answer')
  assert.deepEqual([repeated.status, repeated.body['status']], [201, 'succeeded'])
  assert.deepEqual(await chargedFor(at, String(body['id'])), [
    ['charged', 2_500],
    ['refunded', 100],
  ])
})

test('an authorised payment is captured once, by whoever asks first', async () => {
  const { body } = await call(at, '/payments', { body: aPayment({ capture_method: 'manual' }) })
  const id = String(body['id'])
  const capture = (amount: number) =>
    call(at, `/payments/${id}`, {
      method: 'PUT',
      body: { status: 'succeeded', amount_to_capture: { amount, currency: 'USD' } },
      as: at.admin,
    })
  const answers = await Promise.all([1_000, 1_000, 1_000, 1_000].map(capture))
  assert.ok(answers.every(({ status }) => status === 200 || status === 202))
  await settle(at)
  assert.deepEqual(await chargedFor(at, id), [['captured', 1_000]])
  const { body: stray } = await call(at, `/payments/${id}`, {
    method: 'PUT',
    body: { status: 'canceled', amount_to_capture: { amount: 1, currency: 'USD' } },
  })
  assert.deepEqual((stray['errors'] as { field: string }[])[0]?.field, 'amount_to_capture')
})

test('a capture that has been asked for is not asked for with another amount', async () => {
  const silent = await at.open(async (url, init) =>
    url.endsWith('/v1/captures') ? new Promise(() => {}) : at.network(url, init),
  )
  const { body } = await call(at, '/payments', { body: aPayment({ capture_method: 'manual' }) })
  const id = String(body['id'])
  const capture = (amount: number, app = silent) =>
    call(at, `/payments/${id}`, {
      method: 'PUT',
      body: { status: 'succeeded', amount_to_capture: { amount, currency: 'USD' } },
      as: at.admin,
      app,
    })
  const first = await capture(1_000)
  assert.deepEqual([first.status, first.body['status']], [202, 'requires_capture'])
  const other = await capture(900)
  assert.deepEqual([other.status, other.body['code']], [409, 'invalid_transition'])
  await at.meanwhile(silent.stop())
  assert.equal((await capture(1_000, at.app)).status, 200)
  assert.deepEqual(await chargedFor(at, id), [['captured', 1_000]])
})

test('somebody else’s payment cannot be moved, refunded or looked into', async () => {
  const { body } = await call(at, '/payments', { body: aPayment({ capture_method: 'manual' }) })
  const path = `/payments/${String(body['id'])}`
  const as = await at.issuer.user('usr_2')
  for (const status of ['canceled', 'succeeded', 'requires_capture']) {
    assert.equal((await call(at, path, { method: 'PUT', body: { status }, as })).status, 404)
  }
  assert.equal((await call(at, `${path}/refunds`, { body: {}, as })).status, 403)
  assert.equal((await call(at, `${path}/refunds`, { as })).status, 404)
  const own = await call(at, path, { method: 'PUT', body: { status: 'succeeded' } })
  assert.equal(own.status, 403, 'nor captured by its owner')
  assert.equal((await call(at, path)).body['status'], 'requires_capture')
})

test('rule 4: a provider that does not answer keeps nobody waiting past the budget', async () => {
  const silent = await at.open(async (url, init) =>
    url.startsWith('http://provider.test') ? new Promise(() => {}) : at.network(url, init),
  )
  const startMs = at.clock.now()
  const answer = await call(at, '/payments', { body: aPayment(), key: 'slow', app: silent })
  assert.deepEqual([answer.status, answer.body['status']], [202, 'processing'])
  assert.equal(answer.headers.get('location'), `/payments/${String(answer.body['id'])}`)
  assert.ok(at.clock.now() - startMs < 5_000)
  await at.meanwhile(silent.stop())
  await settle(at)
  const { body } = await call(at, `/payments/${String(answer.body['id'])}`)
  assert.equal(body['status'], 'succeeded')
})

test('a payment whose buyer never acts is given up after a day', async () => {
  const method = 'pm_card_threeDSecureRequired'
  const { status, body } = await call(at, '/payments', {
    body: aPayment({ payment_method: method }),
  })
  assert.deepEqual([status, body['status']], [202, 'requires_action'])
  await at.database.db.query(
    `update payments set updated_at = updated_at - interval '25 hours' where id = $1`,
    [body['id']],
  )
  const read = async () => (await call(at, `/payments/${String(body['id'])}`)).body['status']
  for (let tries = 0; (await read()) !== 'canceled'; tries += 1) {
    assert.ok(tries < 100, String(await read()))
    await at.meanwhile(at.clock.timers.sleep(500))
  }
})

test('the ledger balances, says where the money went, and is for admins', async () => {
  const { body } = await call(at, '/payments', { body: aPayment() })
  const id = String(body['id'])
  const refund = { body: { amount: { amount: 700, currency: 'USD' } }, as: at.admin }
  await call(at, `/payments/${id}/refunds`, refund)
  const read = async (path: string) => (await call(at, path, { as: at.admin })).body['data']
  assert.deepEqual(await read(`/ledger/accounts/payments:${id}`), [
    { account: `payments:${id}`, currency: 'USD', input: 2_500, output: 700, balance: 1_800 },
  ])
  const transactions = (await read(`/ledger/transactions?payment_id=${id}`)) as object[]
  assert.deepEqual(
    transactions.map((each) => ('kind' in each ? each.kind : undefined)),
    ['refund', 'charge'],
  )
  const [balance] = (await read('/ledger/balance')) as { sum_of_balances: number }[]
  assert.equal(balance?.sum_of_balances, 0)
  const all = (await read('/ledger/accounts?limit=100')) as { account: string; balance: number }[]
  assert.equal(
    all.reduce((sum, account) => sum + account.balance, 0),
    0,
  )
  assert.deepEqual(
    all.find(({ account }) => account === `payments:${id}`),
    { account: `payments:${id}`, currency: 'USD', input: 2_500, output: 700, balance: 1_800 },
  )
  const paged: object[] = []
  let next = '/ledger/accounts?limit=2'
  while (next !== '') {
    const { body: page } = await call(at, next, { as: at.admin })
    paged.push(...(page['data'] as object[]))
    const cursor = page['next_cursor'] as string | null
    next = cursor === null ? '' : `/ledger/accounts?limit=2&cursor=${cursor}`
  }
  assert.deepEqual(paged, all)
  for (const path of ['accounts', 'accounts/world', 'transactions', 'balance']) {
    assert.equal((await call(at, `/ledger/${path}`)).status, 403)
  }
})

async function saidOf(id: unknown): Promise<string[]> {
  await at.meanwhile(new Promise((resolve) => setTimeout(resolve, 50)))
  const events = await at.database.db.query<{ type: string }>(
    'select type from events where subject = $1 order by sequence',
    [id],
  )
  return events.map(({ type }) => type)
}

test('a payment says what became of it, in numbered events', async () => {
  const { body } = await call(at, '/payments', { body: aPayment() })
  assert.deepEqual(await saidOf(body['id']), ['payment.succeeded.v1'])
})

test('whatever ends the wait for a card is said: a decline, an authorisation, its capture', async () => {
  const order = anOrder({ payment_method: null, capture_method: 'manual' })
  const [opened] = await pay(at, [order])
  const attach = (payment_method: string) =>
    call(at, '/payments', { body: { order_id: order.order_id, payment_method } })
  assert.equal((await attach('pm_card_chargeDeclined')).status, 402)
  const authorised = await attach('pm_card_visa')
  assert.deepEqual([authorised.status, authorised.body['status']], [201, 'requires_capture'])
  const said = ['payment.failed.v1', 'payment.authorized.v1']
  assert.deepEqual(await saidOf(opened?.payment_id), said)
  const path = `/payments/${String(opened?.payment_id)}`
  const capture = { method: 'PUT', body: { status: 'succeeded' }, as: at.admin }
  assert.equal((await call(at, path, capture)).status, 200)
  assert.deepEqual(await saidOf(opened?.payment_id), [...said, 'payment.succeeded.v1'])
})
