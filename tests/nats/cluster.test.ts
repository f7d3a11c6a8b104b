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
import { startServers, whyNoServers, type Servers } from './servers.ts'

const skip = whyNoServers()
const COUNT = 3_000
const CALM = 100
let servers: Servers
let at: TestShop
let told: string[] = []
let endWitness = () => Promise.resolve()

before(async () => {
  if (skip !== false) return
  servers = await startServers({ count: 3 })
  await servers.ready()
  const env = { NATS_URL: servers.url, NATS_REPLICAS: '3', ADMISSION_TARGET_MS: '20000' }
  at = await openShop({
    replicas: { orders: 2, products: 2 },
    env: { users: env, products: env, orders: env, payments: env },
  })
})
after(async () => {
  if (skip !== false) return
  await endWitness()
  await at.close()
  await servers.close()
})

type Database = 'orders' | 'products'

async function query<Row>(database: Database, sql: string): Promise<Row[]> {
  return withRunningShop(at.shop.dataDir, async ({ databaseUrls }) => {
    const client = newClient(databaseUrls[database])
    await client.connect()
    const { rows } = await client.query(sql).finally(() => client.end())
    return rows as Row[]
  })
}

/**
 * Has products tell each move of its position and each sale, at their commit and in its order, so that
 * the record of what was applied is kept outside of the shop.
 */
async function openWitness(): Promise<void> {
  await query(
    'products',
    `create function tell_witness() returns trigger language plpgsql as $$ begin
       perform pg_notify('witness', case tg_table_name
         when 'movements' then 'sale ' || (to_jsonb(new) ->> 'order_id')
         else 'move ' || (to_jsonb(old) ->> 'position') || ' ' || (to_jsonb(new) ->> 'position') end);
       return new;
     end $$;
     create trigger witness after insert on movements for each row
       when (new.kind = 'Sale') execute function tell_witness();
     create trigger witness after update on subscriptions for each row
       when (old.position <> new.position) execute function tell_witness();`,
  )
  const opened = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const listening = withRunningShop(at.shop.dataDir, async ({ databaseUrls }) => {
    const client = newClient(databaseUrls.products)
    client.on('notification', ({ payload }) => told.push(payload ?? ''))
    await client.connect()
    await client.query('listen witness')
    opened.resolve()
    await ended.promise
    await client.end()
  })
  endWitness = async () => {
    ended.resolve()
    await listening
  }
  await opened.promise
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

type Event = { sequence: number; subject: string }

test(
  'on a cluster of NATS servers: a node dies, then all of them with all that they stored: nothing lost, nothing twice',
  { skip },
  async () => {
    await newProduct(at, 'wiped', 1_000_000)
    const token = await at.newCustomer()
    await openWitness()
    const mended: Promise<void>[] = []
    const mishaps: Record<number, () => Promise<void>> = {
      400: () => servers.signal(0, 'SIGKILL'),
      800: () => servers.start(0),
      1_200: () => servers.wipe(),
      2_000: () => servers.signal(1, 'SIGKILL'),
      2_400: () => servers.start(1),
      // Who publishes or reads may be among them.
      2_700: async () => at.shop.kill('orders', 'SIGKILL'),
      2_750: async () => at.shop.kill('products', 'SIGKILL'),
    }
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

    const confirmed = [...load, ...calm].filter(({ status }) => status === 201)
    assert.equal(confirmed.length, ((COUNT + calm.length) * 9) / 10)
    const log = await query<Event>(
      'orders',
      `select sequence::int, subject from events where type = 'order.confirmed.v1' order by sequence`,
    )
    assert.deepEqual(
      log.map(({ subject }) => subject).toSorted(),
      confirmed.map(({ body }) => String(body['id'])).toSorted(),
    )
    await assertToldOnceInOrder(log)
    await checkBooks(at) // npm run reconcile among them
  },
)

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

/** How many events the broker has brought to the replicas of products, which answer in turn. */
async function broughtByBroker(): Promise<number> {
  const counts = new Set<number>()
  for (let n = 0; n < 4; n += 1) {
    const url = `${at.shop.urls.products}/metrics`
    const text = await (await fetch(url, { headers: { connection: 'close' } })).text()
    counts.add(Number(/^events_read_total\{.*way="broker".*\} (\d+)$/m.exec(text)?.[1] ?? 0))
  }
  return [...counts].reduce((sum, count) => sum + count, 0)
}

/** Each move goes on where the last one ended, and sells what was confirmed in between, and nothing else. */
async function assertToldOnceInOrder(log: Event[]): Promise<void> {
  const end = await endOfLog()
  await until(async () => told.some((line) => line.endsWith(` ${end}`)), 5_000)
  let position = Number(told[0]?.split(' ')[1])
  let due = new Set<string>()
  assert.ok(position >= 0 && log.every(({ sequence }) => sequence > position))
  for (const line of told) {
    const [what, first = '', second = ''] = line.split(' ')
    if (what === 'sale') {
      assert.ok(due.delete(first), `${first} is sold when it is its turn, once`)
      continue
    }
    assert.deepEqual([...due], [], `all up to ${position} was sold`)
    assert.equal(Number(first), position, 'a move begins where the last one ended')
    const from = position
    position = Number(second)
    const between = log.filter(({ sequence }) => sequence > from && sequence <= position)
    due = new Set(between.map(({ subject }) => subject))
  }
  assert.deepEqual([...due], [])
  assert.equal(position, end)
}

/** After all of it the broker has the newest event, in copies, and products has been given it. */
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
