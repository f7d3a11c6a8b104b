/** Owns what good customers do with their orders, and the admin for them; those who aren't good are in misbehaviours.ts. */
import { ask, cancel, follow, hasEnded, idOf, place, readUntil, type Customer } from './customer.ts'
import { bodyOf, type Kind } from './intents.ts'
import { misbehaviours } from './misbehaviours.ts'
import type { Told } from './story.ts'

/** Places the order and sees it to its end; undefined when it was refused. */
async function buy(customer: Customer): Promise<Told | undefined> {
  const body = bodyOf(customer.intent, customer.street.shelves)
  const { status } = await place(customer, body)
  return status < 300 ? follow(customer, body) : undefined
}

const isConfirmed = (order: Told | undefined): order is Told => order?.['status'] === 'confirmed'

const waitsFor = (what: string) => (order: Told) =>
  hasEnded(order) || order['payment_status'] === what

async function payLater(customer: Customer, cards: string[]): Promise<void> {
  const { intent, street, story } = customer
  const body = bodyOf(intent, street.shelves)
  if ((await place(customer, body)).status >= 300) return
  for (const [index, payment_method] of cards.entries()) {
    const order = await readUntil(customer, waitsFor('requires_payment_method'))
    if (hasEnded(order)) return
    await street.asker.sleep(intent.pauseMs)
    const reply = await ask(customer, {
      path: '/payments',
      body: { order_id: idOf(customer), payment_method },
      key: `${story.key}-pay-${index}`,
    })
    if (reply.status === 201 && reply.body['status'] === 'succeeded') story.isPaid = true
    if (![201, 202, 402, 409].includes(reply.status)) {
      story.complaints.push(`paying was answered ${reply.status} ${String(reply.body['code'])}`)
    }
  }
  await follow({ ...customer, intent: { ...intent, follows: 'poll' } }, body)
}

async function goToTheBank(customer: Customer, decision?: 'approve' | 'decline'): Promise<void> {
  const { intent, street } = customer
  const body = bodyOf(intent, street.shelves)
  if ((await place(customer, body)).status >= 300) return
  const order = await readUntil(customer, waitsFor('requires_action'))
  const action = order['next_action'] as { url: string } | null
  if (action !== null && decision !== undefined && !hasEnded(order)) {
    await street.asker.sleep(intent.pauseMs)
    await street.asker.decide(intent.n, action.url, decision)
  }
  await readUntil(customer, hasEnded)
}

/** What an admin does with a confirmed order or its payment; `isDone`: an answer that is as good. */
async function byAdmin(
  customer: Customer,
  question: { method: 'POST' | 'PUT'; path: string; body?: Told },
): Promise<{ status: number; body: Told }> {
  const { story } = customer
  const key = question.method === 'POST' ? { key: `${story.key}-admin` } : {}
  return ask(customer, { ...question, ...key, by: 'admin' })
}

async function expect(customer: Customer, reply: { status: number }, statuses: number[]) {
  if (statuses.includes(reply.status)) return
  const { story } = customer
  story.complaints.push(`${story.kind}: was answered ${reply.status}, not ${statuses.join(' or ')}`)
}

const PART = 100

/** By kind. Each resolves when the customer knows the end. */
export const behaviours: Record<Kind, (customer: Customer) => Promise<unknown>> = {
  ...misbehaviours,
  buys: buy,
  meetsOddities: buy,
  isDeclined: buy,
  wantsScarce: buy,
  paysLater: (customer) => payLater(customer, ['pm_card_visa']),
  paysAfterDecline: (customer) => payLater(customer, ['pm_card_chargeDeclined', 'pm_card_visa']),
  neverPays: (customer) => payLater(customer, []),
  approves: (customer) => goToTheBank(customer, 'approve'),
  refuses: (customer) => goToTheBank(customer, 'decline'),
  neverDecides: (customer) => goToTheBank(customer),

  async cancelsAtOnce(customer) {
    const { intent, story, street } = customer
    const id = `${story.key}-chosen`
    const cancelSoon = async () => {
      await street.asker.sleep(intent.pauseMs)
      for (let tries = 0; tries < 20; tries += 1) {
        const { status } = await cancel(customer, id)
        if (status !== 404) return // not yet placed: nothing to cancel
        await street.asker.sleep(50)
      }
    }
    await Promise.all([place(customer, { ...bodyOf(intent, street.shelves), id }), cancelSoon()])
    if (story.ids.size > 0) await readUntil(customer, hasEnded)
  },

  async cancelsLater(customer) {
    if (!isConfirmed(await buy(customer))) return
    await customer.street.asker.sleep(customer.intent.pauseMs)
    await expect(customer, await cancel(customer), [200, 202])
    await readUntil(customer, (order) => order['status'] === 'canceled')
  },

  async isRefundedInPart(customer) {
    const order = await buy(customer)
    if (!isConfirmed(order)) return
    const path = `/payments/${String(order['payment_id'])}/refunds`
    const amount = { amount: PART, currency: 'USD' }
    const reply = await byAdmin(customer, { method: 'POST', path, body: { amount } })
    await expect(customer, reply, [201])
    if (reply.status === 201) customer.story.givenBack += PART
  },

  async isCaptured(customer) {
    const order = await buy(customer)
    if (!isConfirmed(order)) return
    const path = `/payments/${String(order['payment_id'])}`
    const amount = (order['total'] as { amount: number }).amount - PART
    const body = { status: 'succeeded', amount_to_capture: { amount, currency: 'USD' } }
    const reply = await byAdmin(customer, { method: 'PUT', path, body })
    // Of a try without an answer the next one finds that it has moved.
    await expect(customer, reply, [200, 202, 409])
    customer.story.captured = amount
  },

  async isDelivered(customer) {
    if (!isConfirmed(await buy(customer))) return
    const path = `/orders/${idOf(customer)}/fulfill`
    await expect(customer, await byAdmin(customer, { method: 'POST', path }), [200])
    const reply = await cancel(customer)
    customer.story.isUndoAsked = false // what was delivered is never canceled
    await expect(customer, reply, [409])
  },

  /** Orders, erases the account, and tries to order again with the token that it has. */
  async leaves(visitor) {
    const { intent, street, story } = visitor
    const account = await street.newAccount(intent.n)
    story.owner = account.id
    const customer = { ...visitor, account }
    if ((await place(customer, bodyOf(intent, street.shelves))).status >= 300) return
    await ask(customer, { method: 'DELETE', path: `/users/${account.id}` }, ({ status }) =>
      [200, 401, 404].includes(status),
    )
    street.erased.push(account)
  },
}
