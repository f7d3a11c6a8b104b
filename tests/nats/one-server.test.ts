/** Proves on the machine's NATS, and on servers of its own, that orders tells products by the broker, and who may connect. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import {
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node'
import { createNats } from '@quartet/kit/nats'
import { realRandom } from '@quartet/kit/random'
import { openInProcess } from '../in-process.ts'
import { makeAccount } from './credentials.ts'
import { startServers, whyNoServers, type Servers } from './servers.ts'

const SERVER = process.env['QUARTET_TEST_NATS_URL'] ?? 'nats://127.0.0.1:4222'
const PREFIX = `test-${Buffer.from(realRandom.bytes(6)).toString('hex')}`

async function connectToServer(): Promise<NatsConnection | undefined> {
  try {
    const nc = await connect({ servers: SERVER, timeout: 1_000, reconnect: false })
    await jetstreamManager(nc)
    return nc
  } catch {
    return undefined
  }
}
const nc = await connectToServer()
const skip = nc === undefined ? `no NATS with JetStream at ${SERVER}` : false

after(async () => {
  if (nc === undefined) return
  const manager = await jetstreamManager(nc)
  for (const name of await manager.streams.names(`${PREFIX}.>`).next()) {
    await manager.streams.delete(name)
  }
  await nc.close()
})

const settings = { prefix: PREFIX, replicas: 1 }
const open = ({ url }: Servers, credentials?: string) =>
  createNats({ ...settings, name: 'test', servers: [url], credentials })

test(
  'on NATS: an order that is confirmed is sold by products, which the broker has told',
  { skip },
  async () => {
    const shop = await openInProcess((name) =>
      createNats({ ...settings, name, servers: [SERVER], credentials: undefined }),
    )
    const ask = async (url: string, token?: string, body?: object) => {
      const response = await shop.fetch(url, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return (await response.json()) as Record<string, unknown>
    }
    try {
      const session = await ask('http://users.test/sessions', undefined, shop.admin)
      const token = String(session['access_token'])
      const price = { amount: 1_999, currency: 'EUR' }
      const mug = { id: 'mug', name: 'Mug', description: '', category: 'Kitchen', price, stock: 50 }
      await ask('http://products.test/products', token, mug)
      const broughtByBroker = async () => {
        const response = await shop.fetch('http://products.test/metrics')
        return /^events_read_total\{.*way="broker".*\} (\d+)$/m.exec(await response.text())?.[1]
      }
      const line_items = [{ product_id: 'mug', quantity: 1 }]
      const order = { line_items, payment_method: 'pm_card_visa' }
      let sold = 0
      // The first may come by the feed: nothing has told yet that the broker keeps up.
      while (sold < 20 && (sold < 3 || (await broughtByBroker()) === undefined)) {
        const placed = await ask('http://orders.test/orders', token, order)
        assert.equal(placed['status'], 'confirmed')
        sold += 1
        for (let stock = 50; stock !== 50 - sold;) {
          const level = await ask('http://products.test/products/mug/stock', token)
          stock = Number(level['stocked_quantity'])
        }
      }
      assert.ok(Number(await broughtByBroker()) > 0)
    } finally {
      await shop.close()
    }
  },
)

const skipOwn = whyNoServers()

const message = { id: 'evt_1', type: 'thing.happened.v1', text: '{}' }

test(
  'on NATS servers of its own: a token, a user and a password, or a .creds file opens the way',
  { skip: skipOwn },
  async () => {
    const { settings: operated, creds } = makeAccount()
    const authenticator = credsAuthenticator(new TextEncoder().encode(creds))
    const ways: [string, NodeConnectionOptions, string][] = [
      ['authorization { token: "let-me-in" }', { token: 'let-me-in' }, 'let-me-in'],
      [
        'authorization { user: "shop", password: "a:b" }',
        { user: 'shop', pass: 'a:b' },
        'shop:a:b',
      ],
      [operated, { authenticator }, creds.trim()],
    ]
    for (const [authorization, client, credentials] of ways) {
      const servers = await startServers({ count: 1, settings: authorization, client })
      try {
        await servers.ready()
        const publish = async (given: string | undefined) => {
          const broker = open(servers, given)
          await broker.publish('things', [message]).finally(broker.close)
        }
        await publish(credentials)
        for (const stranger of [undefined, 'wrong', 'shop:wrong', makeAccount().creds]) {
          await assert.rejects(publish(stranger), /Authorization/i)
        }
        await assert.rejects(publish('-----BEGIN NATS USER JWT-----'), /unable to parse/)
      } finally {
        await servers.close()
      }
    }
  },
)

test(
  'on NATS servers of its own: one that comes later, or comes back, is found',
  { skip: skipOwn },
  async () => {
    const servers = await startServers({ count: 1 })
    const broker = open(servers)
    try {
      for (let times = 0; times < 2; times += 1) {
        await servers.ready()
        await servers.signal(0, 'SIGKILL')
        await assert.rejects(broker.publish('things', [message]))
        await servers.start(0)
        await servers.ready()
        await broker.publish('things', [message])
      }
    } finally {
      await broker.close()
      await servers.close()
    }
  },
)

test(
  'on NATS servers of its own: one that freezes is left for another',
  { skip: skipOwn },
  async () => {
    const servers = await startServers({ count: 1 })
    const frozen = open(servers)
    try {
      await servers.ready()
      let number = 0
      const publish = () => {
        number += 1
        return frozen.publish('things', [{ ...message, id: `evt_${number}` }])
      }
      await publish()
      const follows = Promise.withResolvers<void>()
      const following = (async () => {
        const { signal } = new AbortController()
        for await (const together of frozen.follow('things', 'reader', signal)) {
          assert.ok(together.includes('{}'))
          follows.resolve()
        }
      })()
      const publishing = setInterval(() => void publish().catch(() => {}), 50)
      await follows.promise
      clearInterval(publishing)
      await servers.signal(0, 'SIGSTOP')
      await assert.rejects(following, /connection/) // two pings went unanswered
      assert.equal(frozen.isConnected(), false)
      await servers.signal(0, 'SIGCONT')
      await servers.ready()
      await frozen.publish('things', [message])
      assert.equal(frozen.isConnected(), true)
    } finally {
      await servers.signal(0, 'SIGCONT')
      await frozen.close()
      await servers.close()
    }
  },
)
