/** Proves that paying later and the undo of the order, in every order of their steps, end with nothing kept. */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import type { App, Fetch } from '@quartet/kit/world'
import type { PayItem } from './contract/schemas.ts'
import {
  anOrder,
  call,
  chargedFor,
  checkBooks,
  createTestPayments,
  decide,
  pay,
  said,
  settle,
  signedWebhook,
  voidOrders,
  voidUntilFinal,
  webhookOf,
  type TestPayments,
} from './testing/shop.ts'

let at: TestPayments
before(async () => {
  at = await createTestPayments({}, { webhooks: true })
  // Webhooks come when the test sends them.
  at.onWebhook(() => Promise.resolve(new Response(null, { status: 503 })))
})
afterEach(() => checkBooks(at))
after(() => at.close())

/** Something that waits at a gate until it is opened, and tells that it is there. */
function createGate() {
  const reached = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  return {
    reached: reached.promise,
    open: () => opened.resolve(),
    async pass() {
      reached.resolve()
      await opened.promise
    },
  }
}

/** A replica whose charge waits before it is asked for and before it is answered, and its undo before it is. */
function openGated() {
  const gates = { charge: createGate(), answer: createGate(), undo: createGate() }
  const fetch: Fetch = async (url, init) => {
    const isCharge = url.endsWith('/v1/charges')
    const isUndo = url.endsWith('/v1/cancels') || url.endsWith('/v1/refunds')
    if (isCharge) await gates.charge.pass()
    if (isUndo) await gates.undo.pass()
    const response = await at.network(url, init)
    if (isCharge) await gates.answer.pass()
    return response
  }
  return { app: at.openIdle({ fetch }), gates }
}

// While the clock stands still nothing else happens: no lease ends, no budget, no sweep.
async function post(app: App, path: string, body: unknown, as: string): Promise<Response> {
  const headers = { 'content-type': 'application/json', authorization: as }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  return app.fetch(new Request(`http://payments.test${path}`, init))
}

const attachOf = ({ order_id, amount }: PayItem, payment_method: string) => ({
  order_id,
  amount,
  payment_method,
})

async function anOpenOrder() {
  const order = anOrder({ payment_method: null })
  const [outcome] = await pay(at, [order])
  assert.equal(outcome?.outcome, 'requires_payment_method')
  return { order, id: String(outcome.payment_id) }
}

/** All orders of these steps in which each step comes after those that it needs. */
function ordersOf(steps: string[], needs: Record<string, string>): string[][] {
  if (steps.length === 0) return [[]]
  return steps
    .filter((step) => !steps.includes(needs[step] ?? ''))
    .flatMap((step) => {
      const rest = steps.filter((other) => other !== step)
      return ordersOf(rest, needs).map((order) => [step, ...order])
    })
}

/** Charged and all of it given back, or never charged; and undone, which is told once. Gives which. */
async function checkUndone(order: PayItem, id: string, how: string): Promise<'charged' | 'never'> {
  await settle(at)
  assert.equal((await voidUntilFinal(at, order)).outcome, 'canceled', how)
  const moved = (await chargedFor(at, order.order_id)).map((each) => each.join(' '))
  const isNothingKept = moved.length === 0 || moved.join() === 'charged 1000,refunded 1000'
  assert.ok(isNothingKept, `${how}: ${moved.join()}`)
  const types = await said(at, id)
  assert.equal(types.filter((type) => type === 'payment.canceled.v1').length, 1, how)
  assert.equal(types.includes('payment.refunded.v1'), moved.length > 0, how)
  return moved.length > 0 ? 'charged' : 'never'
}

// Whichever reaches the provider first.
const expected = (race: string[], charge: string) =>
  race.indexOf('undo') < race.indexOf(charge) ? 'never' : 'charged'

// The charge reaches the provider, its answer is back, its webhook comes; the order is undone, and the
// undo reaches the provider.
const STEPS = ['charge', 'answer', 'webhook', 'void', 'undo']
const RACES = ordersOf(STEPS, { answer: 'charge', webhook: 'charge', undo: 'void' })

test('rules 8, 9: a card that pays later and a void, in every order: charged and given back, or never charged', async () => {
  assert.equal(RACES.length, 20)
  for (const race of RACES) {
    const how = race.join(' ')
    const { order, id } = await anOpenOrder()
    const { app, gates } = openGated()
    const token = await at.issuer.service('orders', 'payments', 'void')
    const attaching = post(app, '/payments', attachOf(order, 'pm_card_visa'), at.customer)
    await gates.charge.reached
    let voiding: Promise<unknown> | undefined
    const take: Record<string, () => Promise<unknown>> = {
      charge() {
        gates.charge.open()
        return gates.answer.reached
      },
      answer() {
        gates.answer.open()
        return Promise.race([attaching, gates.undo.reached])
      },
      webhook: async () => app.fetch(signedWebhook(at, await webhookOf(at, id))),
      void() {
        voiding = post(app, '/commands/void', { items: [order] }, token)
        return Promise.race([voiding, gates.undo.reached])
      },
      undo() {
        gates.undo.open()
        return Promise.resolve(voiding)
      },
    }
    for (const step of race) await take[step]?.()
    assert.ok([201, 202].includes((await attaching).status), how)
    assert.equal(await checkUndone(order, id, how), expected(race, 'charge'), how)
  }
})

test('rules 8, 9: a buyer at the challenge and a void, in every order: charged and given back, or never charged', async () => {
  const races = ordersOf(['approve', 'webhook', 'void', 'undo'], {
    webhook: 'approve',
    undo: 'void',
  })
  assert.equal(races.length, 6)
  for (const race of races) {
    const how = race.join(' ')
    const { order, id } = await anOpenOrder()
    const { app, gates } = openGated()
    gates.charge.open()
    gates.answer.open()
    const method = 'pm_card_threeDSecureRequired'
    const attached = await post(app, '/payments', attachOf(order, method), at.customer)
    const { next_action } = (await attached.json()) as { next_action: { url: string } }
    const token = await at.issuer.service('orders', 'payments', 'void')
    let voiding: Promise<unknown> | undefined
    const take: Record<string, () => Promise<unknown>> = {
      approve: () => decide(at, next_action.url, 'approve'),
      webhook: async () => app.fetch(signedWebhook(at, await webhookOf(at, id))),
      void() {
        voiding = post(app, '/commands/void', { items: [order] }, token)
        return Promise.race([voiding, gates.undo.reached])
      },
      undo() {
        gates.undo.open()
        return Promise.resolve(voiding)
      },
    }
    for (const step of race) await take[step]?.()
    assert.equal(await checkUndone(order, id, how), expected(race, 'approve'), how)
  }
})

test('rule 8: once the order is undone no card is taken any more', async () => {
  const { order } = await anOpenOrder()
  await voidOrders(at, [order])
  const body = attachOf(order, 'pm_card_visa')
  const answer = await call(at, '/payments', { body })
  assert.deepEqual([answer.status, answer.body['code']], [409, 'invalid_transition'])
  assert.deepEqual(await chargedFor(at, order.order_id), [])
})

test('rules 8, 9: 40 cards and 40 voids in the same instant, at two replicas: nothing is kept', async () => {
  const other = await at.open()
  const opened = await Promise.all(Array.from({ length: 40 }, () => anOpenOrder()))
  const answers = await Promise.all(
    opened.map(async ({ order }, n) => {
      const body = attachOf(order, n % 3 === 0 ? 'pm_card_webhookEarly' : 'pm_card_visa')
      const app = n % 2 === 0 ? at.app : other
      const [attached] = await Promise.all([
        call(at, '/payments', { body, app }),
        voidOrders(at, [order], n % 4 < 2 ? at.app : other),
      ])
      return attached.status
    }),
  )
  assert.ok(
    answers.every((status) => [201, 202, 409].includes(status)),
    answers.join(),
  )
  for (const { order, id } of opened) await checkUndone(order, id, order.order_id)
})
