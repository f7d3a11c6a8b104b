/** Owns the commands to products and payments, and how their answers are read: tolerantly (rule 4). */
import { createPeer, PeerUnavailable, type Command, type Peer } from '@quartet/kit/client'
import type { Metrics } from '@quartet/kit/telemetry'
import type { World } from '@quartet/kit/world'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Order, Totals } from '../domain.ts'
import type { Payment, Reservation, Undo } from './saga.ts'

/** The four commands. One answer per order, in order; `unknown` where none came or none was understood. */
export type Peers = {
  reserve: (orders: Order[]) => Promise<Reservation[]>
  pay: (payments: PayCommand[]) => Promise<Payment[]>
  release: (orders: Order[]) => Promise<Undo[]>
  void: (orders: Order[]) => Promise<Undo[]>
  /** One of them fails so often that it is left alone: what is unknown now stays so for a while. */
  isOneDown: () => boolean
}

/** Pay `totals.total` for `order`. */
export type PayCommand = { order: Order; totals: Totals }

const answered = { order_id: z.string(), outcome: z.string() }

const reserveOutcome = z.object({
  ...answered,
  lines: z
    .array(
      z.object({
        product_id: z.string(),
        quantity: z.int(),
        name: z.string(),
        unit_price: z.object({ amount: z.int(), currency: z.string() }),
      }),
    )
    .optional(),
})

const payOutcome = z.object({
  ...answered,
  payment_id: z.string().nullable(),
  amount_received: z.int().catch(0),
  amount_capturable: z.int().catch(0),
  code: z.string().nullish(),
  next_action: z.object({ type: z.string(), url: z.string() }).nullish(),
})

const undoOutcome = z.object({ ...answered, amount_refunded: z.int().catch(0) })

type PeerWorld = Pick<World<Config>, 'config' | 'fetch' | 'timers' | 'clock' | 'random' | 'log'>

/** The neighbours, each behind its URL; `sign` makes a token for an audience and a scope. */
export function createPeers(
  world: PeerWorld,
  sign: (audience: string, scope: string) => Promise<string>,
  metrics?: Metrics,
): Peers {
  const { PRODUCTS_URL, PAYMENTS_URL, PEER_TIMEOUT_MS: timeoutMs } = world.config
  const peer = (name: string, baseUrl: string): Peer => {
    const token = (scope: string) => sign(name, scope)
    return createPeer(world, { name, baseUrl, timeoutMs, token, ...(metrics && { metrics }) })
  }
  const products = peer('products', PRODUCTS_URL)
  const payments = peer('payments', PAYMENTS_URL)
  return {
    async reserve(orders) {
      const items = orders.map(({ id, ownerId, lines }) => ({ ...who(id, ownerId), lines }))
      const command = { path: '/commands/reserve', scope: 'reserve', outcome: reserveOutcome }
      const answers = await ask(world, products, { ...command, items })
      return orders.map(({ id }) => toReservation(answers.get(id)))
    },
    async pay(commands) {
      const items = commands.map(toPayItem)
      const command = { path: '/commands/pay', scope: 'pay', outcome: payOutcome }
      const answers = await ask(world, payments, { ...command, items })
      return commands.map(({ order }) => toPayment(answers.get(order.id)))
    },
    release: (orders) => undo(world, products, 'release', 'released', orders),
    void: (orders) => undo(world, payments, 'void', 'canceled', orders),
    isOneDown: () => products.isOpen() || payments.isOpen(),
  }
}

const who = (id: string, ownerId: string) => ({ order_id: id, owner_id: ownerId })

const toPayItem = ({ order, totals }: PayCommand) => ({
  ...who(order.id, order.ownerId),
  amount: { amount: totals.total, currency: totals.currency },
  payment_method: order.paymentMethod,
  capture_method: order.captureMethod,
})

// `conflict`: what is there isn't this order's, so there is nothing of it to undo.
async function undo(
  world: PeerWorld,
  peer: Peer,
  scope: 'release' | 'void',
  done: string,
  orders: Order[],
): Promise<Undo[]> {
  const items = orders.map(({ id, ownerId }) => who(id, ownerId))
  const command = { path: `/commands/${scope}`, scope, items, outcome: undoOutcome }
  const answers = await ask(world, peer, command)
  return orders.map(({ id }) => {
    const answer = answers.get(id)
    const isDone = answer?.outcome === done || answer?.outcome === 'conflict'
    return { done: isDone, refunded: answer?.amount_refunded ?? 0 }
  })
}

// Whatever goes wrong, the outcomes are unknown: asked again by the same key, never taken for refusals.
async function ask<Outcome extends z.ZodType<{ order_id: string; outcome: string }>>(
  world: PeerWorld,
  peer: Peer,
  command: Command<Outcome>,
): Promise<Map<string, z.output<Outcome>>> {
  try {
    const outcomes = await peer.send(command)
    const isRead = ({ outcome }: { outcome: string }) => outcome !== 'invalid'
    const unread = command.items.length - outcomes.filter(isRead).length
    if (unread > 0) {
      const fields = { peer: peer.name, command: command.path, unread }
      world.log.error(fields, 'items that one side cannot read: their outcomes stay unknown')
    }
    return new Map(outcomes.map((outcome) => [outcome.order_id, outcome]))
  } catch (error) {
    const isAsked = !(error instanceof PeerUnavailable && error.reason === 'open')
    if (isAsked)
      world.log.warn({ error, peer: peer.name, command: command.path }, 'outcomes are unknown')
    return new Map()
  }
}

function toReservation(answer: z.output<typeof reserveOutcome> | undefined): Reservation {
  switch (answer?.outcome) {
    case 'reserved': {
      const currency = answer.lines?.[0]?.unit_price.currency
      if (answer.lines === undefined || currency === undefined) return { outcome: 'unknown' }
      const lines = answer.lines.map((line) => ({ ...line, unit_price: line.unit_price.amount }))
      return { outcome: 'reserved', lines, currency }
    }
    case 'insufficient_stock':
    case 'product_unavailable':
    case 'released':
    case 'conflict':
      return { outcome: answer.outcome }
    case undefined:
    default:
      return { outcome: 'unknown' }
  }
}

const PAYMENT_OUTCOMES = [
  'succeeded',
  'requires_capture',
  'requires_action',
  'requires_payment_method',
  'processing',
  'declined',
  'canceled',
  'conflict',
] as const

function toPayment(answer: z.output<typeof payOutcome> | undefined): Payment {
  return {
    outcome: PAYMENT_OUTCOMES.find((known) => known === answer?.outcome) ?? 'unknown',
    paymentId: answer?.payment_id ?? null,
    amountReceived: answer?.amount_received ?? 0,
    amountCapturable: answer?.amount_capturable ?? 0,
    code: answer?.code ?? null,
    nextAction: answer?.next_action ?? null,
  }
}
