/** Owns what customers do who aren't good: each must be refused, or have no effect but the one that is due. */
import { ask, follow, hasEnded, place, readUntil, type Customer } from './customer.ts'
import { bodyOf, type Kind } from './intents.ts'
import { hearRefusal, isRefused, type Told } from './story.ts'

const complainUnless = (customer: Customer, holds: boolean, what: string) => {
  if (!holds) customer.story.complaints.push(what)
}

export const misbehaviours = {
  /** Two clicks, or three, at once, over a connection each. */
  async doubleClicks(customer) {
    const { intent, street, story } = customer
    const body = bodyOf(intent, street.shelves)
    const clicks = Array.from({ length: intent.n % 3 === 0 ? 3 : 2 }, () => place(customer, body))
    await Promise.all(clicks)
    complainUnless(customer, story.ids.size <= 1, 'one key made two orders')
    if (!isRefused(story)) await follow(customer, body)
  },

  /** The key of an order that was answered, for something else. */
  async changesPayload(customer) {
    const { intent, street, story } = customer
    const body = bodyOf(intent, street.shelves)
    await place(customer, body)
    const [line] = intent.lines
    const changed = { ...body, line_items: [{ ...line, quantity: 7 }] }
    const { status } = await ask(customer, { path: '/orders', body: changed, key: story.key })
    complainUnless(customer, status === 422, `another payload under its key was answered ${status}`)
    if (!isRefused(story)) await readUntil(customer, hasEnded)
  },

  async forgesTotal(customer) {
    const { intent, street, story } = customer
    const body = bodyOf(intent, street.shelves)
    const reply = await place(customer, body)
    if (reply.status === 202) {
      const again = await ask(customer, { path: '/orders', body, key: story.key }, isOver)
      if (again.status >= 300) hearRefusal(story, again.body)
    }
    const isPriceRefused = story.refusals.has('price_changed')
    complainUnless(customer, isPriceRefused, 'a forged total was not refused as price_changed')
  },

  /** Looks at, cancels and pays somebody else's order. */
  async meddles(customer) {
    const { intent, street, account } = customer
    const body = bodyOf(intent, street.shelves)
    if ((await place(customer, body)).status < 300) await follow(customer, body)
    const other = street.stories.findLast(
      ({ owner, ids, n }) => owner !== account.id && ids.size > 0 && n < intent.n,
    )
    const [id] = other?.ids ?? []
    if (id === undefined) return
    const question = { n: intent.n, token: account.token }
    const card = { order_id: id, payment_method: 'pm_card_visa' }
    const questions = [
      { path: `/orders/${id}` },
      { path: `/orders/${id}/cancel`, method: 'POST' as const },
      { path: '/payments', body: card, key: `${customer.story.key}-meddles` },
    ]
    for (const each of questions) {
      const { status } = await street.asker.definitely({ ...question, ...each })
      complainUnless(customer, status === 404, `${each.path} of somebody else: ${status}`)
    }
  },

  /** Places an order under the id of somebody else's. */
  async takesId(customer) {
    const { intent, street, account, story } = customer
    const body: Told = bodyOf(intent, street.shelves)
    const other = street.stories.findLast(({ owner, ids }) => owner !== account.id && ids.size > 0)
    const [id] = other?.ids ?? []
    if (id === undefined) return
    await place(customer, { ...body, id })
    complainUnless(customer, story.refusals.has('id_taken'), 'somebody else’s id was not refused')
  },
} satisfies Partial<Record<Kind, (customer: Customer) => Promise<unknown>>>

const isOver = ({ status }: { status: number }) => status !== 202
