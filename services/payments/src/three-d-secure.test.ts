/** Proves payments together with the provider's own webhooks: who has to act, is slow, or whose answer is lost is told of. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import {
  anOrder,
  chargedFor,
  checkBooks,
  createTestPayments,
  decide,
  pay,
  payUntilFinal,
  voidOrders,
  type TestPayments,
} from './testing/shop.ts'

let at: TestPayments
let webhooks: string[] = []
before(async () => {
  at = await createTestPayments({}, { webhooks: true })
})
beforeEach(() => {
  webhooks = []
  at.onWebhook(async (request) => {
    const { type } = (await request.clone().json()) as { type: string }
    webhooks.push(type)
    return at.app.fetch(request)
  })
})
afterEach(() => checkBooks(at))
after(() => at.close())

const lookups = async (): Promise<number> => {
  const response = await at.provider.fetch(new Request('http://provider.test/metrics'))
  const labels = 'method="POST",route="/v1/lookups"'
  const found = new RegExp(`_count\\{[^}]*${labels}[^}]*\\} (\\d+)`).exec(await response.text())
  return Number(found?.[1] ?? 0)
}

/** Lets the clock go on until it holds, for so long at most. */
async function within(limitMs: number, holds: () => Promise<boolean>): Promise<void> {
  const endMs = at.clock.now() + limitMs
  while (!(await holds())) {
    assert.ok(at.clock.now() < endMs, `not within ${limitMs} ms`)
    await at.meanwhile(at.clock.timers.sleep(100))
  }
}

const statusOf = async (orderId: string) => {
  const sql = 'select status from payments where order_id = $1'
  return (await at.database.db.query<{ status: string }>(sql, [orderId]))[0]?.status
}

async function aWaiting() {
  const order = anOrder({ payment_method: 'pm_card_threeDSecureRequired' })
  const [outcome] = await pay(at, [order])
  assert.equal(outcome?.outcome, 'requires_action')
  return { order, url: String(outcome.next_action?.url) }
}

const numbered = async (orderId: string, type: string) => {
  const sql = `select from events where data->>'order_id' = $1 and type = $2`
  return (await at.database.db.query(sql, [orderId, type])).length
}

for (const [decision, status] of [
  ['approve', 'succeeded'],
  ['decline', 'failed'],
] as const) {
  test(`3-D Secure: what the buyer decides is told, nobody looks for it: ${decision}`, async () => {
    const { order, url } = await aWaiting()
    const earlier = await lookups()
    await decide(at, url, decision)
    await within(2_000, async () => (await statusOf(order.order_id)) === status)
    // Who reads events learns it at once too.
    const type = `payment.${status}.v1`
    await within(1_000, async () => (await numbered(order.order_id, type)) === 1)
    assert.equal(await lookups(), earlier)
    const charged = decision === 'approve' ? [['charged', 1_000]] : []
    assert.deepEqual(await chargedFor(at, order.order_id), charged)
  })
}

test('rule 9: a webhook that overtakes the answer of its own charge: paid once, and told so', async () => {
  const order = anOrder({ payment_method: 'pm_card_webhookEarly' })
  let seen: string | undefined
  at.onWebhook(async (request) => {
    webhooks.push('early')
    assert.equal(await statusOf(order.order_id), 'processing')
    const answer = await at.app.fetch(request)
    seen = await statusOf(order.order_id)
    return answer
  })
  const [outcome] = await pay(at, [order])
  assert.equal(outcome?.outcome, 'succeeded')
  assert.deepEqual([webhooks, seen], [['early'], 'succeeded'])
  assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
})

test('rule 9: a webhook that comes twice, and one that comes when all is known: paid once', async () => {
  const twice = anOrder({ payment_method: 'pm_card_webhookTwice' })
  const late = anOrder({ payment_method: 'pm_card_webhookLate' })
  await pay(at, [twice, late])
  for (const order of [twice, late]) {
    assert.equal((await payUntilFinal(at, order)).outcome, 'succeeded')
  }
  await within(20_000, () => Promise.resolve(webhooks.length === 3))
  for (const order of [twice, late]) {
    assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
  }
})

test('rule 7: an answer that is lost is told by webhook, sooner than it is asked for again', async () => {
  for (const payment_method of ['pm_card_lostAnswer', 'pm_card_lostConnection']) {
    const order = anOrder({ payment_method })
    await pay(at, [order])
    await within(10_000, async () => (await statusOf(order.order_id)) === 'succeeded')
    assert.deepEqual(await chargedFor(at, order.order_id), [['charged', 1_000]])
  }
  assert.deepEqual(webhooks, ['charge.succeeded', 'charge.succeeded'])
})

test('a webhook that payments could not take comes again', async () => {
  const { order, url } = await aWaiting()
  let refusals = 3
  at.onWebhook((request) => {
    refusals -= 1
    if (refusals < 0) return at.app.fetch(request)
    return refusals === 0
      ? Promise.reject(new TypeError('fetch failed'))
      : Promise.resolve(new Response(null, { status: 503 }))
  })
  await decide(at, url, 'approve')
  await within(10_000, async () => (await statusOf(order.order_id)) === 'succeeded')
  assert.equal(refusals, -1)
})

test('rule 10: a webhook that never comes is made good by a look-up, within some minutes', async () => {
  at.onWebhook(() => Promise.resolve(new Response(null, { status: 503 })))
  const { order, url } = await aWaiting()
  const earlier = await lookups()
  await decide(at, url, 'approve')
  await at.meanwhile(at.clock.timers.sleep(5_000))
  assert.equal(await statusOf(order.order_id), 'requires_action')
  await at.clock.advance(55_000)
  await within(10_000, async () => (await statusOf(order.order_id)) === 'succeeded')
  assert.equal(await lookups(), earlier + 1)
})

test('rule 8: the buyer approves as the order is undone, at the same time: nothing is kept', async () => {
  const waiting = await Promise.all(Array.from({ length: 20 }, () => aWaiting()))
  await Promise.all(
    waiting.flatMap(({ order, url }, n) => {
      const acts = [() => at.meanwhile(decide(at, url, 'approve')), () => voidOrders(at, [order])]
      return (n % 2 === 0 ? acts : acts.toReversed()).map((act) => act())
    }),
  )
  for (const { order } of waiting) {
    await within(60_000, async () => (await statusOf(order.order_id)) === 'canceled')
    const moved = (await chargedFor(at, order.order_id)).map(([type]) => type)
    assert.ok(['', 'charged refunded'].includes(moved.join(' ')), moved.join(' '))
  }
})
