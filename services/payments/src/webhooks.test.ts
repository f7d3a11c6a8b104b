/** Proves what webhooks may do to payments: what is signed and new, forward only, once, and nothing else. */
import assert from 'node:assert/strict'
import { after, afterEach, before, mock, test } from 'node:test'
import type { App, Fetch } from '@quartet/kit/world'
import {
  anOrder,
  askProvider,
  call,
  chargedFor,
  checkBooks,
  createTestPayments,
  decide,
  pay,
  said,
  signedWebhook,
  voidOrders,
  webhookOf,
  type TestPayments,
  type WebhookEvent,
} from './testing/shop.ts'

let at: TestPayments
before(async () => {
  at = await createTestPayments({}, { webhooks: true })
  // Here webhooks come when the test sends them, and the clock stands still: nothing sweeps.
  at.onWebhook(() => Promise.resolve(new Response(null, { status: 503 })))
})
afterEach(() => checkBooks(at))
after(() => at.close())

const PROBLEM = 'application/problem+json'

const send = async (event: unknown, how: Parameters<typeof signedWebhook>[2] = {}, app = at.app) =>
  app.fetch(signedWebhook(at, event, how))

const asks = { payment_method: 'pm_card_threeDSecureRequired' }

/** An order that waits for its buyer, with its payment's id. */
async function aWaiting(changes: Parameters<typeof anOrder>[0] = {}) {
  const order = anOrder({ ...asks, ...changes })
  const [outcome] = await pay(at, [order])
  assert.equal(outcome?.outcome, 'requires_action')
  return { order, id: String(outcome.payment_id), url: String(outcome.next_action?.url) }
}

async function approved(changes: Parameters<typeof anOrder>[0] = {}) {
  const waiting = await aWaiting(changes)
  await decide(at, waiting.url, 'approve')
  return { ...waiting, event: await webhookOf(at, waiting.id) }
}

type Row = { status: string; received: number; code: string | null }

async function rowOf(id: string): Promise<Row | undefined> {
  const sql = 'select status, amount_received as received, code from payments where id = $1'
  return (await at.database.db.query<Row>(sql, [id]))[0]
}

const statusOf = async (id: string) => (await rowOf(id))?.status

// Each look takes the database some time.
async function until(holds: () => Promise<boolean>): Promise<void> {
  const limitMs = performance.now() + 10_000
  while (!(await holds())) assert.ok(performance.now() < limitMs, 'it never was so')
}

async function counted(outcome: string): Promise<number> {
  const text = await (await at.app.fetch(new Request('http://payments.test/metrics'))).text()
  const found = new RegExp(`webhooks_total\\{outcome="${outcome}",service="payments"\\} (\\d+)`)
  return Number(found.exec(text)?.[1] ?? 0)
}

test('rule 9: a webhook ends the payment that waited for its buyer: one booking, one event', async () => {
  const { id, order, event } = await approved()
  assert.equal(await statusOf(id), 'requires_action')
  assert.deepEqual(await (await send(event)).json(), { received: true })
  assert.deepEqual(await rowOf(id), { status: 'succeeded', received: 1_000, code: null })
  assert.deepEqual(await said(at, id), ['payment.action_required.v1', 'payment.succeeded.v1'])
  const [outcome] = await pay(at, [order])
  assert.equal(outcome?.outcome, 'succeeded')
})

test('rule 9: a webhook that comes twice, at once or later, at whichever replica, counts once', async () => {
  const { id, event } = await approved()
  const other = at.openIdle()
  const known = await counted('known')
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => send(event, {}, n % 2 === 0 ? at.app : other)),
  )
  answers.push(await send(event), await send({ ...event, id: 'evt_2' }))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  assert.deepEqual(await said(at, id), ['payment.action_required.v1', 'payment.succeeded.v1'])
  assert.ok((await counted('known')) > known)
})

test('what becomes of a payment after its buyer has acted is news, also by way of `processing`, at one instant', async () => {
  const { id, event } = await approved()
  const now = new Date(at.clock.now())
  const sql = 'update payments set created_at = $2, updated_at = $2 where id = $1'
  await at.database.db.query(sql, [id, now])
  const data = { ...event.data, status: 'processing', amount_captured: 0 }
  await send({ ...event, id: 'evt_slow', data })
  assert.equal(await statusOf(id), 'processing')
  await send(event)
  assert.equal(await statusOf(id), 'succeeded')
  const events = await at.database.db.query<{ type: string; answered: boolean | null }>(
    `select type, (data -> 'answered')::boolean as answered
     from (select sequence, subject, type, data from events union all
       select 1000000 + position, subject, type, data from outbox) as said
     where subject = $1 order by sequence`,
    [id],
  )
  assert.deepEqual(events, [
    { type: 'payment.action_required.v1', answered: true },
    { type: 'payment.succeeded.v1', answered: null },
  ])
})

/** A replica whose answers from the provider wait, as they were, until the test lets go of them. */
function openWithHeld(path: string): { app: App; held: Promise<void>; letGo: () => void } {
  const held = Promise.withResolvers<void>()
  const free = Promise.withResolvers<void>()
  const fetch: Fetch = async (url, init) => {
    const response = await at.network(url, init)
    if (!url.endsWith(path)) return response
    held.resolve()
    await free.promise
    return response
  }
  return { app: at.openIdle({ fetch }), held: held.promise, letGo: () => free.resolve() }
}

test('rule 9: a webhook that is there before the charge has been answered ends the payment', async () => {
  const { app, held, letGo } = openWithHeld('/v1/charges')
  const order = anOrder()
  const paying = pay(at, [order], app)
  await held
  const [row] = await at.database.db.query<{ id: string; status: string }>(
    'select id, status from payments where order_id = $1',
    [order.order_id],
  )
  assert.equal(row?.status, 'processing')
  await send(await webhookOf(at, row.id))
  assert.deepEqual(await rowOf(row.id), { status: 'succeeded', received: 1_000, code: null })
  letGo()
  assert.equal((await paying)[0]?.outcome, 'succeeded')
  assert.deepEqual(await said(at, row.id), ['payment.succeeded.v1'])
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

for (const [status, outcome, decision, capture_method] of [
  ['succeeded', 'succeeded', 'approve', 'automatic'],
  ['requires_capture', 'requires_capture', 'approve', 'manual'],
  ['failed', 'declined', 'decline', 'automatic'],
] as const) {
  test(`rule 9: a late answer of the charge never overwrites what a webhook told: ${status}`, async () => {
    const { app, held, letGo } = openWithHeld('/v1/charges')
    const order = anOrder({ ...asks, capture_method })
    const paying = pay(at, [order], app)
    await held // with requires_action in it, which the buyer is faster than
    const [row] = await at.database.db.query<{ id: string }>(
      'select id from payments where order_id = $1',
      [order.order_id],
    )
    const id = String(row?.id)
    const response = await askProvider(at, '/v1/lookups', { keys: [`${id}-1`] })
    const { outcomes } = (await response.json()) as {
      outcomes: { next_action: { url: string } }[]
    }
    await decide(at, String(outcomes[0]?.next_action.url), decision)
    await send(await webhookOf(at, id))
    const ended = await rowOf(id)
    assert.equal(ended?.status, status)
    const told = await said(at, id)
    letGo()
    assert.equal((await paying)[0]?.outcome, outcome)
    assert.deepEqual(await rowOf(id), ended)
    assert.deepEqual(await said(at, id), told)
  })
}

test('rule 9: webhooks of one charge in one batch, in whichever order, leave the last state', async () => {
  for (const isReversed of [false, true]) {
    const { id, event: authorised } = await approved({ capture_method: 'manual' })
    assert.equal(authorised.type, 'charge.requires_capture')
    const captures = [{ charge_key: `${id}-1`, amount: 600 }]
    await askProvider(at, '/v1/captures', { captures })
    const events = [authorised, await webhookOf(at, id)]
    const sent = isReversed ? events.toReversed() : events
    await Promise.all([...sent, ...sent].map((event) => send(event)))
    assert.deepEqual(await rowOf(id), { status: 'succeeded', received: 600, code: null })
  }
})

test('rule 9: a decline leaves an order that pays later open for another card, and stays with its attempt', async () => {
  const order = anOrder({ payment_method: null })
  const [opened] = await pay(at, [order])
  const id = String(opened?.payment_id)
  const attach = () =>
    call(at, '/payments', {
      body: { order_id: order.order_id, amount: order.amount, ...asks },
    })
  const urlOf = ({ body }: Awaited<ReturnType<typeof call>>) =>
    (body['next_action'] as { url: string }).url
  await decide(at, urlOf(await attach()), 'decline')
  const declined = await webhookOf(at, id)
  await send(declined)
  const open = { status: 'requires_payment_method', received: 0, code: 'authentication_failed' }
  assert.deepEqual(await rowOf(id), open)
  const second = await attach()
  assert.equal(second.status, 202)
  await send(declined) // late, and of the attempt before
  assert.deepEqual(await rowOf(id), { status: 'requires_action', received: 0, code: null })
  await decide(at, urlOf(second), 'approve')
  await send(await webhookOf(at, id, 2))
  assert.equal(await statusOf(id), 'succeeded')
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('rule 8: an undo that waited for the outcome goes on when a webhook tells it: all is given back', async () => {
  const { order, id, event } = await approved()
  // Its cancel is never answered: it knows nothing of the outcome.
  const silent = at.openIdle({
    fetch: (url, init) =>
      url.endsWith('/v1/cancels') ? new Promise(() => {}) : at.network(url, init),
  })
  const [undo] = await voidOrders(at, [order], silent)
  assert.equal(undo?.outcome, 'processing')
  const idle = at.openIdle()
  await send(event, {}, idle)
  await until(async () => (await statusOf(id)) === 'canceled')
  assert.deepEqual(await chargedFor(at, order.order_id), [
    ['charged', 1_000],
    ['refunded', 1_000],
  ])
})

test('rule 16: what cannot be stored of one webhook harms no other, and is not asked for again', async () => {
  const payments = await Promise.all([approved(), approved(), approved()])
  const errors = mock.method(console, 'error', () => {})
  const answers = await Promise.all(
    payments.map(({ event }, n) =>
      send(n === 1 ? { ...event, data: { ...event.data, amount_captured: 1_001 } } : event),
    ),
  )
  errors.mock.restore()
  assert.equal(errors.mock.callCount(), 1)
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  )
  assert.deepEqual(await Promise.all(payments.map(({ id }) => statusOf(id))), [
    'succeeded',
    'requires_action',
    'succeeded',
  ])
  assert.equal(await counted('not_stored'), 1)
  await send(payments[1]?.event)
})

test('what is signed and says nothing here is answered 200, counted, and changes nothing', async () => {
  const { id, event } = await approved()
  const withData = (changes: object) => ({ ...event, data: { ...event.data, ...changes } })
  const cases: [string, unknown][] = [
    ['unknown_type', { ...event, type: 'charge.disputed' }],
    ['unknown_type', { ...event, type: 'payout.paid' }],
    ['unreadable', '{'],
    ['unreadable', 'null'],
    ['unreadable', { ...event, type: 7 }],
    ['unreadable', { ...event, data: null }],
    ['unreadable', withData({ status: 'approved' })],
    ['unreadable', withData({ amount_captured: '1000' })],
    ['unreadable', withData({ metadata: undefined })],
    ['unknown_payment', withData({ metadata: { payment_id: 'pay_nobody' } })],
    ['unknown_payment', withData({ metadata: { payment_id: 'a\0b' } })],
    ['unknown_payment', withData({ metadata: { payment_id: 7 } })],
    ['known', withData({ key: `${id}-2` })],
    ['known', withData({ key: 'pay_nobody-1' })],
  ]
  for (const [outcome, body] of cases) {
    const earlier = await counted(outcome)
    assert.equal((await send(body)).status, 200, JSON.stringify(body))
    assert.equal(await counted(outcome), earlier + 1, JSON.stringify(body))
  }
  assert.equal(await statusOf(id), 'requires_action')
  await send(event)
})

test('a webhook of another payment’s charge changes neither', async () => {
  const [one, other] = [await approved(), await approved()]
  const data = { ...one.event.data, metadata: { payment_id: other.id } }
  await send({ ...one.event, data })
  assert.deepEqual(
    [await statusOf(one.id), await statusOf(other.id)],
    ['requires_action', 'requires_action'],
  )
  await Promise.all([send(one.event), send(other.event)])
})

const WRONG = { secret: 'whsec_of_somebody_else' }

test('what the provider did not sign, or signed long ago, is refused and changes nothing', async () => {
  const { id, event } = await approved()
  const signed = signedWebhook(at, event)
  const good = signed.headers.get('provider-signature') ?? ''
  const body = await signed.text()
  const [time = '', mac = ''] = good.split(',')
  const withHeader = (signature: string | null, sent = body) => {
    const headers = new Headers({ 'content-type': 'application/json' })
    if (signature !== null) headers.set('provider-signature', signature)
    return new Request(signed.url, { method: 'POST', headers, body: sent })
  }
  const earlier = await counted('not_signed')
  const refused: [string, Request][] = [
    ['no signature', withHeader(null)],
    ['an empty one', withHeader('')],
    ['no time', withHeader(mac)],
    ['no mac', withHeader(time)],
    ['an empty mac', withHeader(`${time},v1=`)],
    ['half a mac', withHeader(`${time},${mac.slice(0, 35)}`)],
    ['another scheme', withHeader(`${time},${mac.replace('v1', 'v0')}`)],
    ['another time', withHeader(`t=${Number(time.slice(2)) + 1},${mac}`)],
    ['time that is none', withHeader(`t=now,${mac}`)],
    ['another body', withHeader(good, `${body} `)],
    ['another secret', signedWebhook(at, event, WRONG)],
    ['five minutes old', signedWebhook(at, event, { ageS: 301 })],
    ['five minutes ahead', signedWebhook(at, event, { ageS: -302 })],
    ['a right one behind too many', withHeader(`${time}${',v1=00'.repeat(8)},${mac}`)],
  ]
  for (const [what, request] of refused) {
    const response = await at.app.fetch(request)
    assert.equal(response.status, 400, what)
    assert.equal(response.headers.get('content-type'), PROBLEM)
    const problem = (await response.json()) as { code: string }
    assert.equal(problem.code, 'invalid_signature')
  }
  assert.equal(await counted('not_signed'), earlier + refused.length)
  assert.equal(await statusOf(id), 'requires_action')
  const old = await send(event, { ageS: 299 })
  assert.equal(old.status, 200)
  assert.equal(await statusOf(id), 'succeeded')
})

test('while a secret is replaced one right signature of several is enough', async () => {
  const { id, event } = await approved()
  const [right, wrong] = [signedWebhook(at, event), signedWebhook(at, event, WRONG)]
  const other = String(wrong.headers.get('provider-signature')?.split(',')[1])
  const signature = String(right.headers.get('provider-signature')).replace(',', `,${other},`)
  right.headers.set('provider-signature', signature)
  assert.equal((await at.app.fetch(right)).status, 200)
  assert.equal(await statusOf(id), 'succeeded')
})

test('bodies have a limit, and must be JSON', async () => {
  const event: WebhookEvent = { id: 'evt_1', type: 'x'.repeat(70_000), created: 0, data: {} }
  assert.equal((await send(event)).status, 413)
  const form = signedWebhook(at, {})
  form.headers.set('content-type', 'application/x-www-form-urlencoded')
  assert.equal((await at.app.fetch(form)).status, 415)
})

test('another provider, or a shop without the secret, has no webhooks: 404 says why', async () => {
  const answerOf = async (app: App, url: string) => {
    const response = await app.fetch(new Request(url, signedWebhook(at, {})))
    const { detail } = (await response.json()) as { detail: string }
    return [response.status, detail]
  }
  const base = 'http://payments.test/webhooks'
  assert.deepEqual(await answerOf(at.app, `${base}/stripe`), [
    404,
    'Payments has no provider of this name.',
  ])
  const without = await createTestPayments()
  assert.deepEqual(await answerOf(without.app, `${base}/simulated`), [
    404,
    'WEBHOOK_SECRET_FILE of payments is not set.',
  ])
  await without.close()
})
