/** Proves on real processes that readers of events may be killed and frozen in turns while 20,000 orders flow: each event is applied once, in order. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { reconcileNow } from '../../tools/reconcile/running-shop.ts'
import { isClean } from '../../tools/reconcile/reconcile.ts'
import { describeReport } from '../../tools/reconcile/report.ts'
import { inParallel, until } from '../e2e/shop.ts'
import { openAppliedRecord, type AppliedRecord, type Effect, type Step } from './applied-record.ts'
import { isDone, stockShelf, untilDefinite } from './client.ts'
import { API_KEY, NAMES, openReplicas, type Replicas, type ServiceName } from './processes.ts'

const ORDERS = 20_000
const AT_ONCE = 128
/** While readers are struck who buys pauses, so that the flow outlasts the strikes on a fast machine too. */
const PAUSE_MS = 1_000
/** A dead reader's lease lasts 15 s; then its neighbour reads on, on a busy machine not at once. */
const HANDOVER_MS = 45_000
/** The readers are struck, each twice, when so much of the flow is over. */
const STRIKE_FROM = [0, 0.5]
const FLOW_MS = 600_000
const LAST_WORDS_MS = 1_000
/** Each of so many orders an account is made and erased. */
const ERASE_EVERY = 20

const sold = {
  table: 'movements',
  when: `new.kind = 'Sale'`,
  name: 'order_id',
  source: 'orders',
}
const erased = { table: 'erased_subjects', when: 'true', name: 'subject', source: 'users' }

type Reading = { name: 'products' | 'orders' | 'payments'; source: ServiceName }
/** Who reads whom. */
const STRUCK: Reading[] = [
  { name: 'products', source: 'orders' },
  { name: 'orders', source: 'payments' },
  { name: 'payments', source: 'users' },
]
const READINGS: Reading[] = [
  ...STRUCK,
  { name: 'products', source: 'users' },
  { name: 'orders', source: 'users' },
]

let at: Replicas
const records = new Map<ServiceName, AppliedRecord>()
before(async () => {
  at = await openReplicas()
  const keep = async (name: Reading['name'], effects: Effect[]) =>
    records.set(name, await openAppliedRecord(at.urlOf(name), effects))
  await keep('products', [sold, erased])
  await keep('orders', [erased])
  await keep('payments', [erased])
})
after(async () => {
  for (const record of records.values()) await record.close()
  await at.close()
})

const stepsOf = ({ name, source }: Reading): Step[] => records.get(name)?.stepsOf(source) ?? []

/** Strikes one replica, and the other if the first was not who read: until another reads on. All are put to rights again. */
async function strikeReader(reading: Reading, { strike, mend }: Blow): Promise<void> {
  const { name } = reading
  await until(async () => stepsOf(reading).length > 0, HANDOVER_MS)
  for (let replica = 0; ; replica = 1 - replica) {
    const holder = stepsOf(reading).at(-1)?.holder
    await strike(name, replica)
    // What the struck one had sent may still arrive.
    await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))
    const heard = stepsOf(reading).length
    await until(async () => stepsOf(reading).length > heard, HANDOVER_MS)
    const isHandedOver = stepsOf(reading).at(-1)?.holder !== holder
    await mend(name, replica)
    if (isHandedOver) return
  }
}

type Blow = {
  strike: (name: ServiceName, replica: number) => unknown
  mend: (name: ServiceName, replica: number) => unknown
}

const kill: Blow = {
  strike: (name, replica) => at.signal(name, replica, 'SIGKILL'),
  mend: (name, replica) => at.start(name, replica),
}
const freeze: Blow = {
  strike(name, replica) {
    at.signal(name, replica, 'SIGSTOP')
    at.leadTo(name, replica, false)
  },
  mend(name, replica) {
    at.signal(name, replica, 'SIGCONT')
    at.leadTo(name, replica, true)
  },
}

test('rule 19: with readers of events killed and frozen in turns while 20,000 orders flow, each event is applied once, in order', async () => {
  const token = await stockShelf(at, 'prd_flow', ORDERS)
  const flow = openFlow(token)
  for (const share of STRIKE_FROM) {
    await flow.until(ORDERS * share)
    flow.slow(true)
    for (const blow of [kill, freeze]) {
      await Promise.all(STRUCK.map((reading) => strikeReader(reading, blow)))
    }
    flow.slow(false)
    console.log(`struck six readers by the time ${flow.placed()} orders had ended`)
  }
  assert.ok(flow.placed() < ORDERS, 'all of it happened while orders flowed')
  await flow.until(ORDERS)
  await untilAllIsRead()
  for (const { name, source } of READINGS) {
    records.get(name)?.assertWholeWay(source, await newestOf(source))
  }
  await checkSales()
  checkErasures()
  const report = await reconcileNow({ databaseUrls: urlsOfAll(), provider }, 0)
  assert.ok(isClean(report), describeReport(report).join('\n'))
})

/** Orders that come from many at once, with people who come and go. */
function openFlow(token: string) {
  let placed = 0
  let isSlow = false
  let failed: unknown
  const order = async (n: number) => {
    if (failed !== undefined) return
    await Promise.all([buy(token, n), n % ERASE_EVERY === 0 ? comeAndGo(token, n) : undefined])
    placed += 1
    if (isSlow) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  inParallel(ORDERS, AT_ONCE, order).catch((error: unknown) => (failed ??= error))
  return {
    placed: () => placed,
    slow: (slowly: boolean) => (isSlow = slowly),
    /** Resolves when so many orders have ended; fails with the first that went wrong. */
    until: (count: number) =>
      until(async () => {
        if (failed !== undefined) throw failed
        return placed >= count
      }, FLOW_MS),
  }
}

const isDeclined = (n: number) => n % 10 === 7

async function buy(token: string, n: number): Promise<void> {
  const line_items = [{ product_id: 'prd_flow', quantity: 1 }]
  const payment_method = isDeclined(n) ? 'pm_card_chargeDeclined' : 'pm_card_visa'
  const request = { body: { line_items, payment_method }, token, key: `flow-${n}` }
  const status = isDeclined(n) ? 402 : 201
  await untilDefinite(`${at.originOf('orders')}/orders`, request, (each) => each === status)
}

/** Somebody is registered and erased. */
async function comeAndGo(token: string, n: number): Promise<void> {
  const url = `${at.originOf('users')}/users`
  const id = `usr_${n}`
  const body = { id, name: 'Passing by', email: `passing${n}@example.com` }
  await untilDefinite(url, { body, token, key: `come-${n}` }, isDone)
  const gone = { token, method: 'DELETE' }
  await untilDefinite(`${url}/${id}`, gone, (status) => isDone(status) || status === 404)
}

const provider = {
  get url() {
    return at.provider
  },
  apiKey: API_KEY,
}
const urlsOfAll = () => ({
  users: at.urlOf('users'),
  products: at.urlOf('products'),
  orders: at.urlOf('orders'),
  payments: at.urlOf('payments'),
})

const newestOf = async (name: ServiceName): Promise<number> => {
  const [row] = await at
    .dbOf(name)
    .query<{ newest: number }>('select last_sequence as newest from event_counter')
  return row?.newest ?? 0
}

async function untilAllIsRead(): Promise<void> {
  await until(async () => {
    const left = await Promise.all(
      NAMES.map((name) => at.dbOf(name).query('select from outbox limit 1')),
    )
    const isNumbered = left.every((rows) => rows.length === 0)
    const isRead = await Promise.all(
      READINGS.map(async (each) => stepsOf(each).at(-1)?.to === (await newestOf(each.source))),
    )
    return isNumbered && isRead.every(Boolean)
  }, 60_000)
}

/** The record against the log of orders: every confirmed order sold once, in the order of the log. */
async function checkSales(): Promise<void> {
  const log = await at
    .dbOf('orders')
    .query<{ sequence: number; subject: string }>(
      `select sequence, subject from events where type = 'order.confirmed.v1' order by sequence`,
    )
  assert.equal(log.length, (ORDERS / 10) * 9)
  const told = stepsOf({ name: 'products', source: 'orders' }).flatMap(({ from, to, done }) => {
    const due = log.filter(({ sequence }) => sequence > from && sequence <= to)
    assert.deepEqual(done.toSorted(), due.map(({ subject }) => subject).toSorted())
    return done
  })
  assert.equal(told.length, log.length)
  const [level] = await at.dbOf('products').query('select stocked, reserved from stock')
  assert.deepEqual(level, { stocked: ORDERS / 10, reserved: 0 })
}

/** Everyone who was erased is known everywhere, recorded once. */
function checkErasures(): void {
  const gone = Array.from({ length: ORDERS / ERASE_EVERY }, (_, n) => `usr_${n * ERASE_EVERY}`)
  for (const each of READINGS.filter(({ source }) => source === 'users')) {
    const told = stepsOf(each).flatMap(({ done }) => done)
    assert.deepEqual(told.toSorted(), gone.toSorted(), each.name)
  }
}
