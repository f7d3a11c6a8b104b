/** Owns one customer with one order: the steps that every behaviour is made of, and what was told at each. */
import type { Account } from './accounts.ts'
import type { Asker, Question, Reply } from './asker.ts'
import type { Intent, Shelves } from './intents.ts'
import { hearOrder, hearRefusal, type Story, type Told } from './story.ts'

/** What all customers share. */
export type Street = {
  asker: Asker
  shelves: Shelves
  /** Everybody's orders so far, by their stories; for those who meddle. */
  stories: Story[]
  admin: () => string
  newAccount: (n: number) => Promise<Account>
  /** Accounts that were erased: their tokens are still valid. */
  erased: Account[]
}

export type Customer = {
  intent: Intent
  account: Account
  story: Story
  street: Street
}

type Ask = Omit<Question, 'n' | 'token'> & { by?: 'admin' }

/** Asks until it is definite, and listens to what it says of the order. */
export async function ask(
  { street, story, intent, account }: Customer,
  { by, ...question }: Ask,
  isDefinite?: (reply: Reply) => boolean,
): Promise<Reply> {
  const rankBefore = story.rank
  const token = by === 'admin' ? street.admin() : account.token
  const reply = await street.asker.definitely({ ...question, n: intent.n, token }, isDefinite)
  const isOrders = question.path.startsWith('/orders') && reply.status < 300
  if (isOrders) hearOrder(story, reply.body, rankBefore)
  return reply
}

/** POST /orders under the story's key, until it is accepted or refused. */
export async function place(customer: Customer, body: Told): Promise<Reply> {
  const { story } = customer
  const reply = await ask(customer, { path: '/orders', body, key: story.key })
  if (reply.status >= 300) {
    hearRefusal(story, reply.body)
    if (![402, 409].includes(reply.status)) {
      story.complaints.push(
        `POST /orders was answered ${reply.status} ${String(reply.body['code'])}`,
      )
    }
  }
  return reply
}

export const idOf = ({ story }: Customer): string => {
  const [id] = story.ids
  if (id === undefined) throw new Error(`no order of ${story.key} was told`)
  return id
}

/** GET /orders/:id. */
async function read(customer: Customer): Promise<Told> {
  const reply = await ask(customer, { path: `/orders/${idOf(customer)}` })
  if (reply.status !== 200) {
    customer.story.complaints.push(`GET of the order was answered ${reply.status}`)
  }
  return reply.body
}

const LOOK_AGAIN_MS = { first: 150, most: 1_500 }

/** Reads the order until it stands so. */
export async function readUntil(
  customer: Customer,
  holds: (order: Told) => boolean,
): Promise<Told> {
  const { asker } = customer.street
  for (let waitMs = LOOK_AGAIN_MS.first; ; waitMs = Math.min(waitMs * 1.5, LOOK_AGAIN_MS.most)) {
    const order = await read(customer)
    if (holds(order) || customer.story.complaints.length > 0) return order
    await asker.sleep(waitMs)
  }
}

export const hasEnded = (order: Told): boolean =>
  ['confirmed', 'completed', 'canceled'].includes(String(order['status']))

/** To the end of the order, in the customer's own manner. */
export async function follow(customer: Customer, body: Told): Promise<Told> {
  const { story, intent, street } = customer
  if (intent.follows === 'stream') await followStream(customer)
  if (intent.follows === 'post' && !story.isUndoAsked) {
    const isOver = ({ status }: Reply) => status !== 202
    const reply = await ask(customer, { path: '/orders', body, key: story.key }, isOver)
    if (reply.status >= 300) hearRefusal(story, reply.body)
    await street.asker.sleep(intent.pauseMs)
  }
  return readUntil(customer, hasEnded)
}

const LAST = new Set(['order.completed.v1', 'order.canceled.v1'])

/** Server-Sent Events, resumed where they were cut, until they tell an end. */
async function followStream(customer: Customer): Promise<void> {
  const { story, intent, account, street } = customer
  const path = `/orders/${idOf(customer)}/events`
  const seen: string[] = []
  let after = ''
  let isOver = false
  for (let tries = 0; tries < 40 && !isOver; tries += 1) {
    const question = { n: intent.n, path, token: account.token }
    const status = await street.asker.stream(question, after, ({ id, type, order }) => {
      if (Number(id) <= Number(after)) {
        story.complaints.push(`the stream told event ${id} after event ${after}`)
      }
      after = id
      seen.push(type)
      hearOrder(story, order, story.rank)
      return (isOver ||= LAST.has(type) || (type === 'order.confirmed.v1' && hasEnded(order)))
    })
    if (status === 204) {
      if (!seen.some((type) => LAST.has(type))) {
        story.complaints.push('the stream was over before it had told the end')
      }
      return
    }
    await street.asker.sleep(100)
  }
  if (seen.length > 0 && seen[0] !== 'order.placed.v1') {
    story.complaints.push(`the stream began with ${seen[0]}`)
  }
}

/** POST /orders/:id/cancel, until it is taken up. */
export async function cancel(customer: Customer, id = idOf(customer)): Promise<Reply> {
  const { story } = customer
  story.isUndoAsked = true
  return ask(customer, { path: `/orders/${id}/cancel`, method: 'POST', key: `${story.key}-cancel` })
}
