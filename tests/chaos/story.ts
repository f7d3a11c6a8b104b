/** Owns what the customer of one order was told: facts, each of which must stay true for ever. */
import type { Kind } from './intents.ts'

export type Story = {
  n: number
  kind: Kind
  owner: string
  key: string
  /** Ids and totals of orders that were told under the key: one of each, or none. */
  ids: Set<string>
  totals: Set<number>
  /** How far the order had come when it was last heard of. */
  rank: number
  wasConfirmed: boolean
  wasCanceled: boolean
  wasCompleted: boolean
  /** Codes of final refusals. */
  refusals: Set<string>
  /** Somebody has asked for it to be canceled, from that moment on. */
  isUndoAsked: boolean
  /** What an admin has given back of it, and taken of what was held: in minor units. */
  givenBack: number
  captured: number
  /** The charge of its payment was told as made. */
  isPaid: boolean
  /** What a customer saw by itself that may not be. */
  complaints: string[]
  /** Whether the customer knows how it ended. */
  isOver: boolean
}

export type Told = Record<string, unknown>

export function newStory(n: number, kind: Kind, owner: string): Story {
  return {
    n,
    kind,
    owner,
    key: `chaos-${n}`,
    ids: new Set(),
    totals: new Set(),
    rank: 0,
    wasConfirmed: false,
    wasCanceled: false,
    wasCompleted: false,
    refusals: new Set(),
    isUndoAsked: false,
    givenBack: 0,
    captured: 0,
    isPaid: false,
    complaints: [],
    isOver: false,
  }
}

const RANKS: Record<string, number> = {
  pending: 0,
  confirmed: 1,
  canceling: 2,
  completed: 3,
  canceled: 3,
}

const complain = (story: Story, what: string) => void story.complaints.push(what)

/** An order as an answer shows it. `rankBefore`: how far it had come when the request was sent. */
export function hearOrder(story: Story, order: Told, rankBefore: number): void {
  const status = String(order['status'])
  const rank = RANKS[status]
  if (rank === undefined) return complain(story, `an order was told to be ${status}`)
  if (rank < rankBefore) complain(story, `was told ${status} after it had been told further`)
  if (story.wasCompleted && status === 'canceled') complain(story, 'was canceled after completed')
  if (story.wasCanceled && status === 'completed') complain(story, 'was completed after canceled')
  story.rank = Math.max(story.rank, rank)
  story.ids.add(String(order['id']))
  const total = order['total'] as { amount: number } | null
  if (total !== null && total !== undefined) story.totals.add(total.amount)
  if (status === 'confirmed' || status === 'completed') story.wasConfirmed = true
  if (status === 'completed') story.wasCompleted = true
  if (status === 'canceled') story.wasCanceled = true
}

/** Refusals of POST /orders that say how an order ended. */
const ENDS = new Set([
  'payment_declined',
  'insufficient_stock',
  'product_unavailable',
  'price_changed',
  'order_canceled',
  'payment_expired',
  'amount_too_large',
])

/** What POST /orders refused, for good. */
export function hearRefusal(story: Story, problem: Told): void {
  const code = String(problem['code'])
  story.refusals.add(code)
  if (!ENDS.has(code)) return
  if (story.wasConfirmed) complain(story, `was refused (${code}) after it had been confirmed`)
  if (typeof problem['order_id'] === 'string') story.ids.add(problem['order_id'])
}

/** A refusal was told, which ends an order with nothing kept. */
export const isRefused = ({ refusals }: Story): boolean =>
  [...refusals].some((code) => ENDS.has(code))
