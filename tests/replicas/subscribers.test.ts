/** Proves on real processes that readers of events may be killed and frozen in turns while 20,000 orders flow: each event is applied once, in order. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { reconcileNow } from '../../tools/reconcile/running-shop.ts'
import { isClean } from '../../tools/reconcile/reconcile.ts'
import { describeReport } from '../../tools/reconcile/report.ts'
import { inParallel, until } from '../e2e/shop.ts'
import {
  assertWholeWay,
  openAppliedRecord,
  type AppliedRecord,
  type Step,
} from './applied-record.ts'
import { stockShelf, untilDefinite } from './client.ts'
import { API_KEY, NAMES, openReplicas, type Replicas, type ServiceName } from './processes.ts'

const ORDERS = 20_000
const AT_ONCE = 256
/** A dead reader's lease lasts 15 s; then its neighbour reads on. */
const HANDOVER_MS = 30_000
const SILENT_MS = 1_500

let at: Replicas
let sales: AppliedRecord
let wakings: AppliedRecord
before(async () => {
  at = await openReplicas()
  const when = `new.kind = 'Sale'`
  const sold = { table: 'movements', when, name: 'order_id', source: 'orders' }
  sales = await openAppliedRecord(at.urlOf('products'), [sold])
  wakings = await openAppliedRecord(at.urlOf('orders'), [])
})
after(async () => {
  await sales.close()
  await wakings.close()
  await at.close()
})

/** Who reads: the replica whose end the record is silent after. The other is put to rights again. */
async function strikeReader(
  name: ServiceName,
  { steps, strike, mend }: Blow & { steps: () => Step[] },
): Promise<void> {
  await until(async () => steps().length > 0, HANDOVER_MS)
  for (let replica = 0; ; replica = 1 - replica) {
    const holder = steps().at(-1)?.holder
    await strike(name, replica)
    const struckMs = performance.now()
    let seen = steps().length
    let silentMs = performance.now()
    while (performance.now() - silentMs < SILENT_MS && performance.now() - struckMs < 6_000) {
      if (steps().length > seen) [seen, silentMs] = [steps().length, performance.now()]
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const isReader = performance.now() - silentMs >= SILENT_MS
    if (isReader) await until(async () => steps().at(-1)?.holder !== holder, HANDOVER_MS)
    await mend(name, replica)
    if (isReader) return
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
  let placed = 0
  const flowing = inParallel(ORDERS, AT_ONCE, async (n) => {
    const line_items = [{ product_id: 'prd_flow', quantity: 1 }]
    const isDeclined = n % 10 === 7
    const payment_method = isDeclined ? 'pm_card_chargeDeclined' : 'pm_card_visa'
    const request = { body: { line_items, payment_method }, token, key: `flow-${n}` }
    const url = `${at.originOf('orders')}/orders`
    await untilDefinite(url, request, (status) => status === (isDeclined ? 402 : 201))
    placed += 1
  })
  const readers = [
    { name: 'products', steps: () => sales.stepsOf('orders') },
    { name: 'orders', steps: () => wakings.stepsOf('payments') },
  ] as const
  for (const blow of [kill, freeze]) {
    await Promise.all(readers.map(({ name, steps }) => strikeReader(name, { ...blow, steps })))
  }
  console.log(`struck four readers by the time ${placed} orders had ended`)
  assert.ok(placed < ORDERS, 'all of it happened while orders flowed')
  await flowing
  await untilAllIsRead()
  await checkSales()
  const report = await reconcileNow({ databaseUrls: urlsOfAll(), provider }, 0)
  assert.ok(isClean(report), describeReport(report).join('\n'))
})

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
    const isSold = sales.stepsOf('orders').at(-1)?.to === (await newestOf('orders'))
    const isRead = wakings.stepsOf('payments').at(-1)?.to === (await newestOf('payments'))
    return isNumbered && isSold && isRead
  }, 60_000)
}

/** The record against the log of orders: every confirmed order sold once, in the order of the log. */
async function checkSales(): Promise<void> {
  assertWholeWay(sales.stepsOf('orders'), await newestOf('orders'))
  assertWholeWay(wakings.stepsOf('payments'), await newestOf('payments'))
  const log = await at
    .dbOf('orders')
    .query<{ sequence: number; subject: string }>(
      `select sequence, subject from events where type = 'order.confirmed.v1' order by sequence`,
    )
  assert.equal(log.length, (ORDERS / 10) * 9)
  const told = sales.stepsOf('orders').flatMap(({ from, to, done }) => {
    const due = log.filter(({ sequence }) => sequence > from && sequence <= to)
    assert.deepEqual(done.toSorted(), due.map(({ subject }) => subject).toSorted())
    return done
  })
  assert.equal(told.length, log.length)
  const [level] = await at.dbOf('products').query('select stocked, reserved from stock')
  assert.deepEqual(level, { stocked: ORDERS / 10, reserved: 0 })
}
