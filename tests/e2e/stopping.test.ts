/** Proves of every process, the gateway too, that SIGTERM turns its readiness red while it goes on, and cuts nothing off. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ShopEvent } from '../../tools/start/shop.ts'
import { call, newProduct, openShop, until, type TestShop } from './shop.ts'

let at: TestShop
let customer: string
const events: ShopEvent[] = []
before(async () => {
  at = await openShop({ onEvent: (event) => void events.push(event) })
  customer = await at.newCustomer()
  await newProduct(at, 'stopping', 1_000)
})
after(() => at.close())

type Name = 'users' | 'products' | 'orders' | 'payments' | 'gateway'

/** Where a process itself listens, behind the door that the supervisor keeps. */
const ownOrigin = (name: Name) => `http://127.0.0.1:${at.shop.processes.get(name)?.port()}`

const isReady = async (origin: string) => {
  const response = await fetch(`${origin}/health/ready`, { headers: { connection: 'close' } })
  const { status } = (await response.json()) as { status: string }
  return { status: response.status, says: status }
}

/** Looks closely: where nothing is under way any more it is red for half a second. */
async function firstRed(origin: string) {
  const untilMs = performance.now() + 2_000
  for (;;) {
    const seen = await isReady(origin)
    if (seen.status !== 200) return seen
    assert.ok(performance.now() < untilMs, 'readiness stays green')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A request that is under way: its answer comes. */
type UnderWay = { answer: Promise<{ status: number; body: unknown }> }

/** Tells a process to stop while requests of it are under way; gives their answers once it has ended well. */
async function stopDuring(name: Name, ...asks: ((origin: string) => Promise<UnderWay>)[]) {
  const origin = ownOrigin(name)
  await until(async () => (await isReady(origin)).status === 200, 10_000)
  const asked = await Promise.all(asks.map((ask) => ask(origin)))
  const told = events.length
  at.shop.kill(name, 'SIGTERM')
  assert.deepEqual(await firstRed(origin), { status: 503, says: 'stopping' })
  const answers = await Promise.all(asked.map(({ answer }) => answer))
  const ended = () => events.slice(told).find((event) => event.type === 'process-died')
  await until(async () => ended() !== undefined, 20_000)
  const { name: who, reason } = ended() as { name: string; reason: string }
  assert.deepEqual({ who, reason }, { who: name, reason: 'exit code 0' })
  await until(async () => at.shop.processes.get(name)?.port() !== undefined, 20_000)
  return answers
}

const waitForEvents = async (origin: string): Promise<UnderWay> => {
  const token = at.admin
  const { body } = await call(`${origin}/events/subscribers`, { token })
  return { answer: call(`${origin}/events?after=${Number(body['newest'])}&wait=20`, { token }) }
}

const order = (id: string) => ({ id, line_items: [{ product_id: 'stopping', quantity: 1 }] })

/** An order by a card that takes three seconds: whoever asks waits for its end, or for five. */
const buySlowly =
  (id: string, path = '') =>
  async (origin: string): Promise<UnderWay> => {
    const url = `${origin}${path}/orders`
    const body = { ...order(id), payment_method: 'pm_card_slow' }
    const answer = call(url, { body, token: customer, key: id })
    await until(async () => (await call(`${url}/${id}`, { token: customer })).status === 200, 5_000)
    return { answer }
  }

/** The life of an order that waits for its customer, followed until the stream ends; rejects when it is cut. */
const follow =
  (id: string, path = '') =>
  async (origin: string): Promise<UnderWay> => {
    const url = `${origin}${path}/orders`
    assert.equal((await call(url, { body: order(id), token: customer, key: id })).status, 202)
    const headers = { authorization: `Bearer ${customer}` }
    const { status, body: stream } = await fetch(`${url}/${id}/events`, { headers })
    assert.ok(stream !== null)
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
    let body = ''
    const readOn = async () => {
      const { value = '', done } = await reader.read()
      body += value
      return !done
    }
    while (!body.includes('order.placed')) assert.ok(await readOn(), `it ended: ${body}`)
    const rest = async () => {
      while (await readOn());
      return { status, body }
    }
    return { answer: rest() }
  }

for (const name of ['users', 'products', 'payments'] as const) {
  test(`${name}: SIGTERM turns ready red; who waits for events is answered, and it ends well`, async () => {
    const [waited] = await stopDuring(name, waitForEvents)
    assert.deepEqual(waited, { ...waited, status: 200, body: [] })
  })
}

test('orders: SIGTERM turns ready red; a checkout, a stream and a wait for events come to their ends', async () => {
  const [bought, followed, waited] = await stopDuring(
    'orders',
    buySlowly('slow'),
    follow('followed'),
    waitForEvents,
  )
  assert.ok(bought?.status === 201 || bought?.status === 202, `bought: ${bought?.status}`)
  assert.deepEqual([followed?.status, waited?.status], [200, 200])
  assert.match(String(followed?.body), /order\.placed/)
})

test('gateway: SIGTERM turns ready red; a checkout and a stream that it passes on come to their ends', async () => {
  const [bought, followed] = await stopDuring(
    'gateway',
    buySlowly('slow-too', '/api'),
    follow('followed-too', '/api'),
  )
  assert.ok(bought?.status === 201 || bought?.status === 202, `bought: ${bought?.status}`)
  assert.equal(followed?.status, 200)
  assert.match(String(followed?.body), /order\.placed/)
})
