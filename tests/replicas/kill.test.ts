/** Proves on real processes that either replica of any service may be killed, frozen or cut off its database in the middle of a load. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { inParallel, until as eventually } from '../e2e/shop.ts'
import { ask, isDone, logIn, stockShelf, untilDefinite, type Answer } from './client.ts'
import {
  ADMIN,
  API_KEY,
  NAMES,
  openReplicas,
  type Replicas,
  type ServiceName,
} from './processes.ts'

let at: Replicas
before(async () => {
  at = await openReplicas()
})
after(() => at.close())

type Entry = { type: string; amount: number; metadata: { order_id?: string } | null }

async function readRecord(): Promise<Entry[]> {
  const entries: Entry[] = []
  for (let next: number | null = 0; next !== null;) {
    const { body } = await ask(`${at.provider}/v1/record?after=${next}`, { token: API_KEY })
    entries.push(...(body['data'] as Entry[]))
    next = body['next'] as number | null
  }
  return entries
}

const COUNT = 160
const isDeclined = (n: number) => n % 4 === 2

function methodOf(n: number): string {
  if (isDeclined(n)) return 'pm_card_chargeDeclined'
  return n % 20 === 3 ? 'pm_card_lostAnswer' : 'pm_card_visa'
}

test('either replica of every service is killed by -9, frozen or cut off its database in the middle of a load: every order ends right', async () => {
  await stockShelf(at, 'prd_1', 500)
  let session = await logIn(at, ADMIN)
  const mended: Promise<unknown>[] = []
  const freeze = (name: ServiceName, replica: number) => {
    at.signal(name, replica, 'SIGSTOP')
    const thaw = () => at.signal(name, replica, 'SIGCONT')
    mended.push(new Promise((thawed) => setTimeout(() => thawed(void thaw()), 2_500)))
  }
  const disconnect = (name: ServiceName) => {
    const cut = at.dbOf(name).query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    )
    mended.push(cut)
  }
  const mishaps: Record<number, () => void> = {
    10: () => disconnect('orders'),
    30: () => disconnect('payments'),
    50: () => disconnect('products'),
    20() {
      at.signal('orders', 0, 'SIGKILL')
      mended.push(at.start('orders', 0))
    },
    40: () => at.signal('products', 1, 'SIGKILL'),
    60: () => at.signal('payments', 0, 'SIGKILL'),
    80: () => at.signal('users', 0, 'SIGKILL'),
    100: () => freeze('products', 0),
    120: () => freeze('payments', 1),
    140: () => at.signal('orders', 1, 'SIGKILL'),
  }
  const answers = await inParallel(COUNT, 16, async (n) => {
    mishaps[n]?.()
    if (n % 40 === 39) {
      // Sessions rotate at whichever replica is met; the answer may be lost, the token is asked again.
      const body = { refresh_token: session['refresh_token'] }
      session = (await untilDefinite(`${at.originOf('users')}/sessions/refresh`, { body }, isDone))
        .body
    }
    const body = {
      line_items: [{ product_id: 'prd_1', quantity: 1 }],
      payment_method: methodOf(n),
    }
    const request = { body, token: String(session['access_token']), key: `load-${n}` }
    return untilDefinite(`${at.originOf('orders')}/orders`, request, (status) =>
      [201, 402].includes(status),
    )
  })
  await Promise.all(mended)
  for (const [n, { status }] of answers.entries()) {
    assert.equal(status, isDeclined(n) ? 402 : 201, `order ${n}`)
  }
  await untilNothingIsOpen()
  await checkBooks(answers)
  for (const name of NAMES) await checkEvents(name)
})

async function untilNothingIsOpen(): Promise<void> {
  const untilMs = performance.now() + 20_000
  const open = async () => [
    ...(await at.dbOf('orders').query('select order_id as open from open_orders')),
    ...(await at.dbOf('payments').query('select payment_id as open from open_payments')),
    ...(await at.dbOf('orders').query('select id as open from outbox')),
  ]
  for (let rest = await open(); rest.length > 0; rest = await open()) {
    assert.ok(performance.now() < untilMs, `still open: ${JSON.stringify(rest)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function checkBooks(answers: Answer[]): Promise<void> {
  const ids = answers.filter(({ status }) => status === 201).map(({ body }) => String(body['id']))
  assert.equal(new Set(ids).size, ids.length, 'no order answers for two requests')
  const placed = await at
    .dbOf('orders')
    .query<{ id: string; status: string }>('select id, status from orders')
  assert.equal(placed.length, COUNT)
  const confirmed = placed.filter(({ status }) => status === 'confirmed').map(({ id }) => id)
  assert.deepEqual(confirmed.toSorted(), ids.toSorted())
  const kept = new Map<string, number>()
  const charges: string[] = []
  for (const { type, amount, metadata } of await readRecord()) {
    const id = metadata?.order_id ?? ''
    if (type === 'charged') charges.push(id)
    if (type === 'charged') kept.set(id, (kept.get(id) ?? 0) + amount)
    if (type === 'refunded') kept.set(id, (kept.get(id) ?? 0) - amount)
  }
  assert.equal(new Set(charges).size, charges.length, 'one charge an order')
  for (const { id, status } of placed) {
    assert.equal(kept.get(id) ?? 0, status === 'confirmed' ? 1_000 : 0, `${id} is ${status}`)
  }
  const [booked] = await at
    .dbOf('payments')
    .query<{ net: number }>('select sum(amount_received - amount_refunded) as net from payments')
  assert.equal(booked?.net, 1_000 * ids.length)
  // The sale of each is told by an event, applied once by one of the replicas.
  const sold = { stocked: 500 - ids.length, reserved: 0 }
  await eventually(async () => {
    const [level] = await at.dbOf('products').query('select stocked, reserved from stock')
    return isDeepStrictEqual(level, sold)
  }, 60_000)
}

// Rule 18, with two sequencers of which one was killed: no gap, none twice, none left behind.
async function checkEvents(name: ServiceName): Promise<void> {
  const [row] = await at.dbOf(name).query<Record<string, number>>(
    `select count(*) as count, count(distinct id) as ids, coalesce(max(sequence), 0) as last,
       (select last_sequence from event_counter) as counter
     from events`,
  )
  const { count = 0 } = row ?? {}
  assert.deepEqual(row, { count, ids: count, last: count, counter: count }, name)
}
