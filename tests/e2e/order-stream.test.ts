/** Proves that an order's life reaches a browser whole, over cut connections and rolling restarts: nothing twice, nothing missed. */
import assert from 'node:assert/strict'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { Agent, EventSource } from 'undici'
import { call, checkBooks, newProduct, openShop, until, type TestShop } from './shop.ts'

let at: TestShop
let line: Line
before(async () => {
  at = await openShop({ replicas: { orders: 2, gateway: 2 } })
  line = await openLine(at.shop.ports.gateway)
})
after(async () => {
  line.close()
  await at.close()
})

/** A line to the gateway that can be cut. */
type Line = { url: string; cut: () => number; close: () => void }

async function openLine(port: number): Promise<Line> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const onward = connect(port, '127.0.0.1')
    for (const [socket, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    const count = sockets.size / 2
    for (const socket of sockets) socket.resetAndDestroy()
    return count
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close() {
      server.close()
      cut()
    },
  }
}

type Headers = Record<string, string>

/** A browser's session: what it sends by itself. */
async function logInByBrowser(n: number): Promise<Headers> {
  const account = { email: `browser${n}@example.com`, password: `a-long-secret-${n}` }
  const { gateway } = at.shop.urls
  const registered = await call(`${gateway}/api/users`, { body: { ...account, name: 'B' } })
  assert.equal(registered.status, 201)
  const headers = { 'content-type': 'application/json', origin: gateway }
  const body = JSON.stringify(account)
  const response = await fetch(`${gateway}/browser/session`, { method: 'POST', headers, body })
  assert.equal(response.status, 200)
  const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';')[0])
  return { cookie: cookies.join('; '), 'sec-fetch-site': 'same-origin' }
}

const byToken = async (): Promise<Headers> => ({
  authorization: `Bearer ${await at.newCustomer()}`,
})

async function post(as: Headers, path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${at.shop.urls.gateway}/api${path}`, {
    method: 'POST',
    headers: { ...as, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as Record<string, unknown>
  assert.ok(response.ok, JSON.stringify(answer))
  return answer
}

const TYPES = ['placed', 'action_required', 'confirmed', 'completed', 'canceled']
type Message = { type: string; id: number; order: Record<string, unknown>; atMs: number }

/** EventSource as the standard has it, with what a browser's would send; `over`: it was told to stop. */
function listenTo(orderId: string, as: Headers) {
  const dispatcher = new Agent().compose((dispatch) => (options, handler) => {
    const headers = { ...(options.headers as Headers), ...as }
    return dispatch({ ...options, headers }, handler)
  })
  const source = new EventSource(`${line.url}/api/orders/${orderId}/events`, {
    node: { dispatcher },
  })
  const messages: Message[] = []
  let isOver = false
  let connections = 0
  for (const type of TYPES) {
    source.addEventListener(`order.${type}.v1`, (event) => {
      const { data, lastEventId } = event as MessageEvent
      const order = JSON.parse(String(data)) as Message['order']
      messages.push({ type, id: Number(lastEventId), order, atMs: performance.now() })
    })
  }
  source.addEventListener('open', () => (connections += 1))
  source.addEventListener('error', () => {
    isOver = source.readyState === EventSource.CLOSED
  })
  return {
    messages,
    over: () => until(() => Promise.resolve(isOver), 20_000),
    connections: () => connections,
    has: (type: string) => messages.some((message) => message.type === type),
  }
}

const withoutDoubles = (messages: Message[]) => {
  const ids = messages.map(({ id }) => id)
  assert.deepEqual(
    ids,
    [...new Set(ids)].toSorted((a, b) => a - b),
    'in order, nothing twice',
  )
}

const line_items = [{ product_id: 'streamed', quantity: 1 }]
const fulfill = (id: string) =>
  call(`${at.shop.urls.orders}/orders/${id}/fulfill`, { method: 'POST', token: at.admin })

test('a browser sees its order’s life, though its connection is cut while the order is paid', async (t) => {
  await newProduct(at, 'streamed', 1_000)
  const as = await logInByBrowser(1)
  const { id } = await post(as, '/orders', { line_items })
  const stream = listenTo(String(id), as)
  await until(async () => stream.has('action_required'), 10_000)
  assert.equal(stream.messages[1]?.order['payment_status'], 'requires_payment_method')
  assert.equal(line.cut(), 1)
  await post(as, '/payments', { order_id: id, payment_method: 'pm_card_visa' })
  await until(async () => stream.has('confirmed'), 10_000)
  assert.equal(stream.connections(), 2)
  assert.equal((await fulfill(String(id))).status, 200)
  await stream.over() // after the last event it is told to stop coming
  assert.deepEqual(
    stream.messages.map(({ type }) => type),
    ['placed', 'action_required', 'confirmed', 'completed'],
  )
  withoutDoubles(stream.messages)
  t.diagnostic(`${stream.connections()} connections`)
})

test('who listens is told in a moment', async (t) => {
  const as = await byToken()
  const tookMs: number[] = []
  for (let n = 0; n < 10; n += 1) {
    const { id } = await post(as, '/orders', { line_items })
    const stream = listenTo(String(id), as)
    await until(async () => stream.has('action_required'), 10_000)
    await post(as, '/payments', { order_id: id, payment_method: 'pm_card_visa' })
    const paidMs = performance.now()
    await until(async () => stream.has('confirmed'), 10_000)
    tookMs.push((stream.messages.at(-1)?.atMs ?? 0) - paidMs)
    await fulfill(String(id))
    await stream.over()
  }
  const sorted = tookMs.map(Math.round).toSorted((a, b) => a - b)
  t.diagnostic(`told of the confirmation ${sorted.join(', ')} ms after POST /payments was answered`)
})

test('3-D Secure at an order that is paid later: the stream says each time what its customer must do', async () => {
  const as = await logInByBrowser(2)
  const { id } = await post(as, '/orders', { line_items })
  const stream = listenTo(String(id), as)
  const asked = async (count: number) => {
    await until(async () => stream.messages.length === 1 + count, 20_000)
    const { type, order } = stream.messages.at(-1) ?? assert.fail()
    assert.equal(type, 'action_required')
    return order as { payment_status: string; next_action: { url: string } | null }
  }
  assert.equal((await asked(1)).payment_status, 'requires_payment_method')
  // The bank asks, the buyer declines, and tries once more.
  let count = 1
  for (const decision of ['decline', 'approve']) {
    const card = { order_id: id, payment_method: 'pm_card_threeDSecureRequired' }
    await post(as, '/payments', card)
    const { payment_status, next_action } = await asked((count += 1))
    assert.equal(payment_status, 'requires_action')
    const body = new URLSearchParams({ decision })
    const decided = await fetch(String(next_action?.url), { method: 'POST', body })
    assert.ok(decided.ok)
    if (decision === 'approve') continue
    const again = await asked((count += 1))
    assert.deepEqual([again.payment_status, again.next_action], ['requires_payment_method', null])
  }
  await until(async () => stream.has('confirmed'), 20_000)
  await fulfill(String(id))
  await stream.over()
  withoutDoubles(stream.messages)
})

test('rule 23: while orders and the gateway are restarted one by one, and lines are cut, every stream tells its order’s life', async (t) => {
  const seed = Date.now() % 100_000
  t.diagnostic(`seed ${seed}`)
  let state = seed
  const chance = () => (state = (state * 48_271 + 11) % 2_147_483_647) / 2_147_483_647
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  let isRestarting = true
  const restarting = (async () => {
    const sinceMs = performance.now()
    for (const name of ['orders', 'gateway', 'orders'] as const) {
      await at.shop.change({ do: 'restart', name })
    }
    isRestarting = false
    t.diagnostic(`restarted after ${Math.round(performance.now() - sinceMs)} ms`)
  })()
  const cutting = (async () => {
    for (; isRestarting; await sleep(500 + 2_000 * chance())) line.cut()
  })()

  async function live(n: number): Promise<number> {
    const as = n % 2 === 0 ? await byToken() : await logInByBrowser(100 + n)
    const order = await post(as, '/orders', { line_items })
    const id = String(order['id'])
    const stream = listenTo(id, as)
    await sleep(3_000 * chance())
    await post(as, '/payments', { order_id: id, payment_method: 'pm_card_visa' })
    await until(async () => stream.has('confirmed'), 30_000)
    await sleep(3_000 * chance())
    const isKept = chance() < 0.5
    if (isKept) assert.equal((await fulfill(id)).status, 200)
    else await post(as, `/orders/${id}/cancel`, {})
    await stream.over()
    const last = isKept ? 'completed' : 'canceled'
    const types = stream.messages.map(({ type }) => type)
    assert.deepEqual(types, ['placed', 'action_required', 'confirmed', last], `${id}, seed ${seed}`)
    withoutDoubles(stream.messages)
    return stream.connections()
  }

  let lives = 0
  let connections = 0
  const customer = async (n: number) => {
    for (let round = 0; isRestarting || round === 0; round += 1) {
      const count = await live(n + 20 * round)
      connections += count
      lives += 1
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, n) => customer(n)))
  await Promise.all([restarting, cutting])
  t.diagnostic(`${lives} lives over ${connections} connections`)
  assert.ok(lives >= 8 && connections > lives, 'lines were cut')
  await checkBooks(at)
})
