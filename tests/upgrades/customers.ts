/** Owns customers and readers of events who go on while versions change: good clients, who ask again by their keys. */
import assert from 'node:assert/strict'
import { untilDefinite, type Answer } from '../replicas/client.ts'
import { NAMES, type Replicas, type ServiceName } from '../replicas/processes.ts'

const CUSTOMERS = 8
const PAUSE_MS = 30
/** Half an answer more than a replica that is killed costs. */
const SERVED_WITHIN_MS = 60_000

/** What a customer was told of an order in the end. */
export type Told = { id: string; status: 'confirmed' | 'canceled' }

export type Customers = {
  /** Resolves when `count` more orders have ended; fails with the first that went wrong. */
  serve: (count: number) => Promise<void>
  /** What all of them were told. */
  stop: () => Promise<Told[]>
}

/**
 * Customers who buy, are declined, change their mind and click twice, one order after another each: half
 * of them at the service, half through the gateway.
 */
export function openCustomers(at: Replicas, token: string, product: string): Customers {
  const doors = [`${at.originOf('orders')}/orders`, `${at.originOf('gateway')}/api/orders`]
  const told: Told[] = []
  let sent = 0
  let isOver = false
  let failed: unknown
  const customer = async () => {
    while (!isOver && failed === undefined) {
      sent += 1
      const turn = { orders: doors[sent % doors.length]!, token, product, key: `order-${sent}` }
      told.push(await WAYS[Math.floor(sent / doors.length) % WAYS.length]!(turn))
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  const customers = Array.from({ length: CUSTOMERS }, () =>
    customer().catch((error: unknown) => (failed ??= error)),
  )
  return {
    async serve(count) {
      const untilMs = performance.now() + SERVED_WITHIN_MS
      for (const enough = told.length + count; told.length < enough;) {
        if (failed !== undefined) throw failed
        assert.ok(performance.now() < untilMs, `${told.length} of ${enough} orders have ended`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    async stop() {
      isOver = true
      await Promise.all(customers)
      if (failed !== undefined) throw failed
      return told
    },
  }
}

/** `orders`: the URL at which orders are placed. */
type Order = { orders: string; token: string; product: string; key: string }

// Refused or cut connections, 202 and 503 mean "ask again"; anything else is an answer.
const isDefinite = (status: number) => status !== 202 && status !== 503

function place({ orders, token, product, key }: Order, payment_method: string): Promise<Answer> {
  const body = { line_items: [{ product_id: product, quantity: 1 }], payment_method }
  return untilDefinite(orders, { body, token, key }, isDefinite)
}

async function buy(order: Order, payment_method = 'pm_card_visa'): Promise<Told> {
  const { status, body } = await place(order, payment_method)
  assert.equal(status, 201, `${order.key}: ${JSON.stringify(body)}`)
  return { id: String(body['id']), status: 'confirmed' }
}

async function beDeclined(order: Order): Promise<Told> {
  const { status, body } = await place(order, 'pm_card_chargeDeclined')
  assert.equal(status, 402, `${order.key}: ${JSON.stringify(body)}`)
  return { id: String(body['order_id']), status: 'canceled' }
}

async function askForTheUnknown(order: Order): Promise<Told> {
  const { status, body } = await place({ ...order, product: 'prd_none' }, 'pm_card_visa')
  assert.equal(status, 409, `${order.key}: ${JSON.stringify(body)}`)
  return { id: String(body['order_id']), status: 'canceled' }
}

async function clickTwice(order: Order): Promise<Told> {
  const [one, two] = await Promise.all([buy(order), buy(order)])
  assert.equal(one.id, two.id, order.key)
  return one
}

async function changeTheirMind(order: Order): Promise<Told> {
  const { id } = await buy(order)
  const url = `${order.orders}/${id}/cancel`
  const request = { method: 'POST', body: {}, token: order.token, key: `${order.key}-cancel` }
  const { status, body } = await untilDefinite(url, request, isDefinite)
  assert.deepEqual([status, body['status']], [200, 'canceled'], JSON.stringify(body))
  return { id, status: 'canceled' }
}

const WAYS: ((order: Order) => Promise<Told>)[] = [
  (order) => buy(order),
  (order) => buy(order),
  changeTheirMind,
  (order) => buy(order, 'pm_card_lostAnswer'),
  beDeclined,
  clickTwice,
  (order) => buy(order),
  askForTheUnknown,
]

export type Followers = {
  /** Reads on to the newest event of each log, and fails unless each event came once, in order. */
  readToTheEnd: () => Promise<void>
}

/** Reads the events of every service as they come, from whichever replica answers. */
export function openFollowers(at: Replicas, token: string): Followers {
  let isOver = false
  const follow = async (name: ServiceName) => {
    let position = 0
    for (;;) {
      const wait = isOver ? 0 : 2
      const url = `${at.originOf(name)}/events?after=${position}&wait=${wait}`
      const { status, body } = await untilDefinite(url, { token }, isDefinite)
      assert.equal(status, 200, JSON.stringify(body))
      const events = Object.values(body) as { sequence: number | string }[]
      for (const { sequence } of events) {
        assert.equal(Number(sequence), position + 1, `an event of ${name}`)
        position += 1
      }
      if (wait === 0 && events.length === 0) return position
    }
  }
  const following = NAMES.map((name) => follow(name).catch((error: unknown) => ({ error })))
  return {
    async readToTheEnd() {
      isOver = true
      for (const [index, end] of (await Promise.all(following)).entries()) {
        if (typeof end === 'object') throw end.error
        const name = NAMES[index]!
        const [log] = await at
          .dbOf(name)
          .query<{ newest: number }>('select last_sequence as newest from event_counter')
        assert.equal(end, log?.newest, `the events of ${name}`)
      }
    },
  }
}
