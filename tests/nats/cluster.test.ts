/** Proves on a cluster of three that nodes may die and all that they store may vanish in the middle of a load: each order is sold, once, in order. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { newClient } from '../../tools/reconcile/books.ts'
import { withRunningShop } from '../../tools/reconcile/running-shop.ts'
import {
  call,
  checkBooks,
  inParallel,
  newProduct,
  openShop,
  until,
  type Answer,
  type TestShop,
} from '../e2e/shop.ts'
import { openAppliedRecord, type AppliedRecord } from '../replicas/applied-record.ts'
import { startServers, whyNoServers, type Servers } from './servers.ts'

const skip = whyNoServers()
const COUNT = 3_000
const CALM = 100
let servers: Servers
let at: TestShop
let record: AppliedRecord

before(async () => {
  if (skip !== false) return
  servers = await startServers({ count: 3 })
  await servers.ready()
  const env = { NATS_URL: servers.url, NATS_REPLICAS: '3', ADMISSION_TARGET_MS: '20000' }
  at = await openShop({
    replicas: { orders: 2, products: 2 },
    env: { users: env, products: env, orders: env, payments: env },
  })
  const sales = {
    table: 'movements',
    when: `new.kind = 'Sale'`,
    name: 'order_id',
    source: 'orders',
  }
  record = await withRunningShop(at.shop.dataDir, ({ databaseUrls }) =>
    openAppliedRecord(databaseUrls.products, [sales]),
  )
})
after(async () => {
  if (skip !== false) return
  await record.close()
  await at.close()
  await servers.close()
})

async function query<Row>(database: 'orders' | 'products', sql: string): Promise<Row[]> {
  return withRunningShop(at.shop.dataDir, async ({ databaseUrls }) => {
    const client = newClient(databaseUrls[database])
    await client.connect()
    const { rows } = await client.query(sql).finally(() => client.end())
    return rows as Row[]
  })
}

// As good clients do: what broke, or isn't definite, is asked again by the same key.
async function buy(token: string, n: number): Promise<Answer> {
  const body = {
    line_items: [{ product_id: 'wiped', quantity: 1 }],
    payment_method: n % 10 === 7 ? 'pm_card_chargeDeclined' : 'pm_card_visa',
  }
  for (let tries = 0; tries < 100; tries += 1) {
    const how = { body, token, key: `wiped-${n}` }
    const answer = await call(`${at.shop.urls.orders}/orders`, how).catch(() => undefined)
    if (answer !== undefined && [201, 402].includes(answer.status)) return answer
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return assert.fail(`no definite answer to order ${n}`)
}

test(
  'on a cluster of NATS servers: a node dies, then all of them with all that they stored: nothing lost, nothing twice',
  { skip },
  async () => {
    await newProduct(at, 'wiped', 1_000_000)
    const token = await at.newCustomer()
    const mended: Promise<void>[] = []
    const mishaps: Record<number, () => Promise<void>> = {
      400: async () => {
        await Promise.all(mended)
        await servers.signal(0, 'SIGKILL')
      },
      800: () => servers.start(0),
      1_200: () => servers.wipe(),
      2_000: () => servers.signal(1, 'SIGKILL'),
      2_400: () => servers.start(1),
    }
    // Some of what is on its way then is never brought: gaps.
    for (let n = 200; n < 400; n += 10) mishaps[n] = purge
    const load = await inParallel(COUNT, 32, async (n) => {
      const mishap = mishaps[n]
      if (mishap !== undefined) mended.push(mishap())
      return buy(token, n)
    })
    await Promise.all(mended)
    await untilAllIsRead()
    await untilBrokerIsLevel()
    const brought = await broughtByBroker()
    // The broker is of use again, once readers have seen that it keeps up.
    const calm: Answer[] = []
    await until(async () => {
      const first = COUNT + calm.length
      calm.push(...(await inParallel(CALM, 8, (n) => buy(token, first + n))))
      await untilAllIsRead()
      return (await broughtByBroker()) > brought
    }, 60_000)
    // Only now: one that is started anew would hide what another did not recover from. Who publishes and
    // who reads may be among them.
    at.shop.kill('orders', 'SIGKILL')
    at.shop.kill('products', 'SIGKILL')
    const first = COUNT + calm.length
    const last = await inParallel(CALM, 8, (n) => buy(token, first + n))
    await untilAllIsRead()
    await untilBrokerIsLevel()

    const confirmed = [...load, ...calm, ...last].filter(({ status }) => status === 201)
    assert.equal(confirmed.length, ((COUNT + calm.length + CALM) * 9) / 10)
    await assertSoldOnceInOrder(confirmed.map(({ body }) => String(body['id'])))
    await checkBooks(at) // npm run reconcile among them
  },
)

async function purge(): Promise<void> {
  const nc = await servers.connect()
  const manager = await jetstreamManager(nc)
  await manager.streams.purge('QUARTET_ORDERS').finally(() => nc.close())
}

const endOfLog = async () => {
  const [row] = await query<{ end: number }>(
    'orders',
    'select last_sequence::int as end from event_counter',
  )
  return row?.end ?? 0
}

async function untilAllIsRead(): Promise<void> {
  await until(async () => {
    const end = await endOfLog()
    const [row] = await query<{ position: number }>(
      'products',
      `select position::int from subscriptions where source = 'orders'`,
    )
    return row?.position === end
  }, 30_000)
}

/** Each step of products sold what orders had confirmed within it, and nothing else. */
async function assertSoldOnceInOrder(ids: string[]): Promise<void> {
  record.assertWholeWay('orders', await endOfLog())
  const log = await query<{ sequence: number; subject: string }>(
    'orders',
    `select sequence::int, subject from events where type = 'order.confirmed.v1' order by sequence`,
  )
  assert.deepEqual(log.map(({ subject }) => subject).toSorted(), ids.toSorted())
  for (const { from, to, done } of record.stepsOf('orders')) {
    const due = log.filter(({ sequence }) => sequence > from && sequence <= to)
    assert.deepEqual(done.toSorted(), due.map(({ subject }) => subject).toSorted())
  }
}

/** How many events the broker has brought to the replicas of products, which answer in turn. */
async function broughtByBroker(): Promise<number> {
  const counts = new Set<number>()
  for (let n = 0; n < 4; n += 1) {
    const url = `${at.shop.urls.products}/metrics`
    const text = await (await fetch(url, { headers: { connection: 'close' } })).text()
    const line = /^events_read_total\{source="orders",way="broker".*\} (\d+)$/m
    counts.add(Number(line.exec(text)?.[1] ?? 0))
  }
  return [...counts].reduce((sum, count) => sum + count, 0)
}

/** The broker has the newest event, in copies, and products has been given it. */
async function untilBrokerIsLevel(): Promise<void> {
  const end = await endOfLog()
  await until(async () => {
    const nc = await servers.connect()
    try {
      const manager = await jetstreamManager(nc)
      const { config, state } = await manager.streams.info('QUARTET_ORDERS')
      const last = await manager.streams.getMessage('QUARTET_ORDERS', { seq: state.last_seq })
      const { sequence } = last?.json<{ sequence: string }>() ?? {}
      const { num_pending } = await manager.consumers.info('QUARTET_ORDERS', 'products')
      return config.num_replicas === 3 && Number(sequence) === end && num_pending === 0
    } catch {
      return false
    } finally {
      await nc.close()
    }
  }, 20_000)
}
