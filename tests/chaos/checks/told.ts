/** Owns checking what customers were told against what is written. */
import type { Books, OrderRow } from '../books.ts'
import { isRefused, type Story } from '../story.ts'
import type { Promised, Violation } from './violation.ts'

const ENDED = new Set(['confirmed', 'completed', 'canceled'])
const KEPT = new Set(['confirmed', 'completed'])

/** Every customer's story, and every order: each of one has its own of the other. */
export function checkTold(stories: readonly Story[], { orders, openOrders }: Books): Violation[] {
  const byId = new Map(orders.map((order) => [order.id, order]))
  const byKey = Map.groupBy(
    orders,
    ({ owner_id, idempotency_key }) => `${owner_id} ${idempotency_key}`,
  )
  const violations = stories.flatMap((story) => [
    ...checkStory(story, byId),
    ...checkKey(story, byKey.get(`${story.owner} ${story.key}`) ?? []),
  ])
  const known = new Set(stories.map(({ owner }) => owner))
  const told = new Set(stories.flatMap(({ ids }) => [...ids]))
  const keys = new Set(stories.map(({ owner, key }) => `${owner} ${key}`))
  for (const { id, owner_id, idempotency_key } of orders) {
    if (!known.has(owner_id) || told.has(id) || keys.has(`${owner_id} ${idempotency_key}`)) continue
    const detail = `${id} of ${owner_id} is nobody's: key ${idempotency_key}`
    violations.push({ promise: 'oneEffect', order: id, detail })
  }
  for (const id of openOrders) {
    violations.push({ promise: 'ends', order: id, detail: `${id} is still driven` })
  }
  return violations
}

function checkStory(story: Story, byId: ReadonlyMap<string, OrderRow>): Violation[] {
  const found: Violation[] = []
  const [id] = story.ids
  const tell = (promise: Promised, detail: string) =>
    void found.push({ promise, n: story.n, detail, ...(id === undefined ? {} : { order: id }) })
  for (const what of story.complaints) {
    tell(what.startsWith('no definite answer') ? 'definite' : 'trueForEver', what)
  }
  if (!story.isOver && story.complaints.length === 0) tell('definite', 'the customer still waits')
  if (story.ids.size > 1) tell('oneEffect', `one key named ${[...story.ids].join(' and ')}`)
  if (story.totals.size > 1)
    tell('trueForEver', `totals ${[...story.totals].join(' and ')} were told`)
  if (id === undefined) return found
  const order = byId.get(id)
  if (order === undefined) tell('trueForEver', 'the order that was told is not there')
  else for (const [promise, detail] of judge(story, order)) tell(promise, detail)
  return found
}

function judge(story: Story, { status, total, owner_id }: OrderRow): [Promised, string][] {
  const found: [Promised, string][] = []
  const isKept = KEPT.has(status)
  if (!ENDED.has(status)) found.push(['ends', `it is ${status}`])
  if (owner_id !== story.owner) found.push(['trueForEver', `it belongs to ${owner_id}`])
  const [toldTotal] = story.totals
  if (toldTotal !== undefined && total !== toldTotal) {
    found.push(['trueForEver', `total ${toldTotal} was told, ${total} is written`])
  }
  if (story.wasConfirmed && !isKept && !story.isUndoAsked) {
    found.push(['trueForEver', `it was told as confirmed, nobody canceled it, and it is ${status}`])
  }
  if (story.wasCompleted && status !== 'completed') {
    found.push(['trueForEver', `it was told as completed, and is ${status}`])
  }
  if (story.wasCanceled && status !== 'canceled') {
    found.push(['trueForEver', `it was told as canceled, and is ${status}`])
  }
  if (isRefused(story) && isKept) {
    found.push([
      'trueForEver',
      `it was refused (${[...story.refusals].join(', ')}), and is ${status}`,
    ])
  }
  return found
}

function checkKey({ n, key, ids }: Story, orders: OrderRow[]): Violation[] {
  if (orders.length > 1) {
    const detail = `${key} made ${orders.map(({ id }) => id).join(' and ')}`
    return [{ promise: 'oneEffect', n, detail }]
  }
  const [order] = orders
  const [told] = ids
  if (order === undefined || told === undefined || order.id === told) return []
  const detail = `${key} made ${order.id}, and ${told} was told`
  return [{ promise: 'oneEffect', n, order: order.id, detail }]
}
