/** Proves that replicas come and go under load without a failed request, and that one that dies or freezes costs little. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isAlive } from '../../tools/processes.ts'
import { SERVICES } from '../../tools/start/plan.ts'
import type { ShopEvent } from '../../tools/start/shop.ts'
import { call, checkBooks, newProduct, openShop, until, type TestShop } from './shop.ts'

let at: TestShop
let tokens: string[]
const events: ShopEvent[] = []

before(async () => {
  // Nothing is to be shed here: this machine runs all of it, and the load.
  const patient = { ADMISSION_TARGET_MS: '20000' }
  at = await openShop({
    replicas: { users: 2, products: 2, orders: 2, payments: 2, gateway: 2 },
    env: { users: patient, products: patient, orders: patient, payments: patient },
    onEvent: (event) => void events.push(event),
  })
  tokens = await Promise.all([1, 2, 3, 4].map(() => at.newCustomer()))
  await newProduct(at, 'rolling', 1_000_000)
})
after(() => at.close())

/** What became of requests: how many by `METHOD status`, or by the error of one that got no answer. */
type Outcomes = Map<string, number>
type Ask = () => Promise<{ status: number }>

let sent = 0
const buy =
  (base: string): Ask =>
  () => {
    sent += 1
    const body = { line_items: [{ product_id: 'rolling', quantity: 1 }] }
    return call(`${base}/orders`, {
      body: { ...body, payment_method: 'pm_card_visa' },
      token: tokens[sent % tokens.length] ?? '',
      key: `rolling-${sent}`,
    })
  }
const read =
  (url: string): Ask =>
  () =>
    call(url, { token: tokens[0] ?? '' })

/** Clients on plain keep-alive connections, directly at the services and through the gateway. */
function clientsOf({ urls }: TestShop['shop']): { name: string; count: number; ask: Ask }[] {
  const api = `${urls.gateway}/api`
  return [
    { name: 'POST', count: 14, ask: buy(urls.orders) },
    { name: 'gateway POST', count: 14, ask: buy(api) },
    { name: 'GET', count: 2, ask: read(`${urls.products}/products/rolling`) },
    { name: 'GET', count: 2, ask: read(`${urls.orders}/orders?limit=1`) },
    { name: 'GET', count: 2, ask: read(`${urls.payments}/payments?limit=1`) },
    { name: 'GET', count: 2, ask: read(`${urls.users}/.well-known/jwks.json`) },
    { name: 'gateway GET', count: 4, ask: read(`${api}/products/rolling`) },
  ]
}

// People pause, too: connections that were idle for a while are used again.
const PAUSES_MS = [100, 250, 500, 1_100]

/** What becomes of the requests that all clients send, one after another each, while `work` runs. */
async function underLoad(work: () => Promise<unknown>): Promise<Outcomes> {
  const outcomes: Outcomes = new Map()
  let stopped = false
  const client = async (name: string, ask: Ask, pauseMs: number) => {
    while (!stopped) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      const outcome = await ask().then(
        ({ status }) => String(status),
        (error: unknown) => String(error instanceof Error ? (error.cause ?? error) : error),
      )
      outcomes.set(`${name} ${outcome}`, (outcomes.get(`${name} ${outcome}`) ?? 0) + 1)
    }
  }
  const clients = clientsOf(at.shop).flatMap(({ name, count, ask }) =>
    Array.from({ length: count }, (_, n) => client(name, ask, PAUSES_MS[n % 4] ?? 0)),
  )
  try {
    await work()
  } finally {
    stopped = true
    await Promise.all(clients)
  }
  return outcomes
}

// 202 is an answer too: on a busy machine an order may take longer than its buyer waits.
const failuresOf = (outcomes: Outcomes) =>
  [...outcomes].filter(([name]) => !/ (200|201|202)$/.test(name))

const pidsOf = () => [...at.shop.processes.values()].flatMap((kept) => kept.pid() ?? [])

const RESTARTED = [...SERVICES, 'gateway'] as const
// Twenty rounds, in halves: a test has its limit, and this machine may have more to do.
const HALVES = ['ten rounds', 'ten more']
const ROUNDS = 10

for (const half of HALVES) {
  test(`rule 23: everything, the gateway too, is restarted under load, ${half}: no request fails, POST included`, async () => {
    const old = pidsOf()
    const told = events.length
    const times = createTimes()
    const restart = async (name: (typeof RESTARTED)[number]) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        await at.shop.change({ do: 'restart', name }, times.reportOf(name))
      }
    }
    const outcomes = await underLoad(() => Promise.all(RESTARTED.map(restart)))
    console.log([...outcomes, ...times.means()].map((line) => line.join(': ')).join('\n'))
    assert.deepEqual(failuresOf(outcomes), [])
    assert.deepEqual(events.slice(told).filter(isMishap), [])
    assert.equal(times.count(), RESTARTED.length * ROUNDS * 2, 'two replicas each, in every round')
    assert.ok((outcomes.get('POST 201') ?? 0) > 20 && (outcomes.get('gateway POST 201') ?? 0) > 20)
    const provider = at.shop.processes.get('provider')?.pid()
    for (const pid of old) assert.equal(isAlive(pid), pid === provider, `process ${pid}`)
    await checkBooks(at)
  })
}

const isMishap = ({ type }: ShopEvent) => type === 'process-died' || type === 'process-frozen'

/** How long replicas took to start, and to leave meanwhile or afterwards, from one line to the next. */
function createTimes() {
  const taken = new Map<string, number[]>()
  return {
    reportOf(name: string) {
      let beforeMs = performance.now()
      return (line: string) => {
        const nowMs = performance.now()
        const what = `${name} ${line.includes('is ready') ? 'starts' : 'leaves'}, ms`
        taken.set(what, [...(taken.get(what) ?? []), Math.round(nowMs - beforeMs)])
        beforeMs = nowMs
      }
    },
    count: () => [...taken.values()].flat().length / 2,
    means: () =>
      [...taken].map(([what, all]) => [
        what,
        Math.round(all.reduce((sum, each) => sum + each, 0) / all.length),
      ]),
  }
}

test('a replica killed by -9 and one that freezes: the others go on, both are replaced, the books agree', async () => {
  const [killed, frozen] = ['orders', 'products'].map((name) =>
    [...at.shop.processes].find(([replica]) => replica.startsWith(name)),
  )
  assert.ok(killed !== undefined && frozen !== undefined)
  const pids = [killed[1].pid(), frozen[1].pid()]
  const outcomes = await underLoad(() => {
    killed[1].kill('SIGKILL')
    frozen[1].kill('SIGSTOP')
    const isReplaced = ([, kept]: typeof killed, n: number) => (kept.pid() ?? pids[n]) !== pids[n]
    return until(async () => [killed, frozen].every(isReplaced), 20_000)
  })
  // The gateway asks again what carries a key, and what only reads.
  assert.deepEqual(
    failuresOf(outcomes).filter(([name]) => name.startsWith('gateway')),
    [],
  )
  const answered = [...outcomes].filter(([name]) => /POST 20[12]$/.test(name))
  assert.ok(answered.reduce((sum, [, count]) => sum + count, 0) > 50, JSON.stringify([...outcomes]))
  await until(async () => {
    const { body } = await call(`${at.shop.urls.orders}/orders?status=pending&limit=1`, {
      token: at.admin,
    })
    return (body['data'] as unknown[]).length === 0
  }, 30_000)
  await checkBooks(at)
})

test('under load replicas are added and taken, and the only gateway is replaced', async () => {
  const outcomes = await underLoad(async () => {
    await at.shop.change({ do: 'scale', name: 'gateway', count: 1 })
    await at.shop.change({ do: 'scale', name: 'orders', count: 3 })
    await at.shop.change({ do: 'scale', name: 'products', count: 1 })
    await at.shop.change({ do: 'restart', name: 'gateway' })
  })
  const names = [...at.shop.processes.keys()]
  assert.equal(names.filter((name) => name.startsWith('orders')).length, 3)
  assert.equal(names.filter((name) => name.startsWith('products')).length, 1)
  assert.deepEqual(failuresOf(outcomes), [])
})
