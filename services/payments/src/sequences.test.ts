import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import {
  anOrder,
  call,
  checkBooks,
  createTestPayments,
  decide,
  pay,
  settle,
  signedWebhook,
  totals,
  voidOrders,
  type TestPayments,
} from './testing/shop.ts'
import type { PayItem } from './contract/schemas.ts'

// What becomes of a webhook: it is taken, lost on the way, or taken and its sender never learns of it.
const DELIVERIES = ['taken', 'lost', 'unanswered'] as const
type Delivery = (typeof DELIVERIES)[number]

let at: TestPayments
let delivery: Delivery = 'taken'
const webhooks: string[] = [] // all that were ever sent
before(async () => {
  at = await createTestPayments({}, { webhooks: true })
  const other = await at.open()
  at.onWebhook(async (request) => {
    const replica = webhooks.push(await request.clone().text()) % 2 === 0 ? at.app : other
    if (delivery === 'lost') return new Response(null, { status: 503 })
    const answer = await replica.fetch(request)
    assert.equal(answer.status, 200)
    return delivery === 'taken' ? answer : new Response(null, { status: 503 })
  })
})
after(() => at.close())

const METHODS = [
  'pm_card_visa',
  'pm_card_chargeDeclined',
  'pm_card_threeDSecureRequired',
  'pm_card_slow',
  'pm_card_slowDeclined',
  'pm_card_lostAnswer',
  'pm_card_lostConnection',
  'pm_card_webhookEarly',
  'pm_card_webhookTwice',
  'pm_card_webhookLate',
]
const method = fc.constantFrom(...METHODS)
const amount = fc.integer({ min: 1, max: 1_000 })
const step = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ do: 'pay' } as const) },
  { weight: 2, arbitrary: fc.constant({ do: 'void' } as const) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('attach' as const), method }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refund' as const), amount }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('capture' as const), amount }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('act' as const),
      decision: fc.constantFrom('approve' as const, 'decline' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), nth: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      how: fc.constantFrom(...DELIVERIES),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'wait' } as const) },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** One order through all that may happen to it; what is done together is done at once. */
const history = fc.record({
  method: fc.option(method),
  capture: fc.constantFrom('automatic' as const, 'manual' as const),
  steps: fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 5 }),
})

// Whatever chance brings, money moves both ways at least once.
const PAID_AND_UNDONE = {
  method: 'pm_card_visa',
  capture: 'automatic' as const,
  steps: [[{ do: 'pay' } as const], [{ do: 'void' } as const]],
}

// And webhooks are taken, once more than they come.
const TOLD_EARLY = {
  method: 'pm_card_webhookEarly',
  capture: 'automatic' as const,
  steps: [[{ do: 'pay' } as const], [{ do: 'repeat', nth: 0 } as const, { do: 'void' } as const]],
}

type Told = { pays: string[]; voided: boolean; url: string | undefined }

async function take(order: PayItem, each: Step, told: Told): Promise<void> {
  const [{ id }] = await paymentOf(order)
  const money = (minor: number) => ({ amount: minor, currency: 'USD' })
  let status = 200
  switch (each.do) {
    case 'pay': {
      const [outcome] = await pay(at, [order])
      told.pays.push(String(outcome?.outcome))
      told.url = outcome?.next_action?.url ?? told.url
      break
    }
    case 'void': {
      const [outcome] = await voidOrders(at, [order])
      told.voided = true
      assert.ok(['canceled', 'processing'].includes(String(outcome?.outcome)))
      break
    }
    case 'attach': {
      const { order_id, amount: total } = order
      const body = { order_id, amount: total, payment_method: each.method }
      status = (await call(at, '/payments', { body })).status
      break
    }
    case 'refund': {
      const body = { amount: money(each.amount) }
      status = (await call(at, `/payments/${id}/refunds`, { body, as: at.admin })).status
      break
    }
    case 'capture': {
      const body = { status: 'succeeded', amount_to_capture: money(each.amount) }
      status = (await call(at, `/payments/${id}`, { method: 'PUT', body, as: at.admin })).status
      break
    }
    case 'act':
      if (told.url !== undefined) await at.meanwhile(decide(at, told.url, each.decision))
      break
    case 'repeat': {
      const body = webhooks[each.nth % webhooks.length]
      if (body !== undefined) {
        status = (await at.meanwhile(at.app.fetch(signedWebhook(at, body)))).status
      }
      break
    }
    case 'deliver':
      delivery = each.how
      break
    case 'wait':
      await at.meanwhile(at.clock.timers.sleep(4_000))
  }
  assert.ok([200, 201, 202, 402, 404, 409].includes(status), `${each.do}: ${status}`)
}

async function paymentOf({ order_id }: PayItem): Promise<[{ id: string; status: string }]> {
  const rows = await at.database.db.query<{ id: string; status: string }>(
    'select id, status from payments where order_id = $1',
    [order_id],
  )
  return [rows[0] ?? { id: 'none', status: 'none' }]
}

// What `pay` may say after each final answer (rule 1).
const AFTER: Record<string, string[]> = {
  declined: ['declined', 'canceled'],
  succeeded: ['succeeded', 'canceled'],
  canceled: ['canceled'],
}

test('rule 1: whatever happens to payments, in any order and at once, first answers stay and the books agree', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(history, { minLength: 4, maxLength: 6 }), async (histories) => {
      await Promise.all(
        histories.map(async ({ method: payment_method, capture: capture_method, steps }) => {
          const order = anOrder({ payment_method, capture_method })
          const told: Told = { pays: [], voided: false, url: undefined }
          for (const together of steps) {
            await Promise.all(together.map((each) => take(order, each, told)))
          }
          delivery = 'taken'
          await settle(at)
          await take(order, { do: 'pay' }, told)
          const answers = told.pays
          for (const [index, answer] of answers.slice(0, -1).entries()) {
            // Those that were asked at once may be heard in any order: the last one came after them all.
            const allowed = AFTER[answer] ?? [answers.at(-1)]
            assert.ok(allowed.includes(String(answers.at(-1))), `${index}: ${answers.join(' ')}`)
          }
          const [{ status }] = await paymentOf(order)
          if (told.voided) assert.equal(status, 'canceled')
        }),
      )
      await settle(at)
      await checkBooks(at)
    }),
    { numRuns: 8, examples: [[[PAID_AND_UNDONE, TOLD_EARLY]]] },
  )
  assert.ok(webhooks.length > 0)
  const { body } = await call(at, '/ledger/balance', { as: at.admin })
  const { captured, refunded } = await totals(at)
  assert.ok(captured > 0 && refunded > 0, 'money has moved both ways')
  assert.deepEqual(body['data'], [
    { currency: 'USD', charged: captured, refunded, sum_of_balances: 0 },
  ])
})
