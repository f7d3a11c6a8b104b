/** Owns a running payments service for tests: real PostgreSQL, the real provider, a clock that tests move. */
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { silentLog } from '@quartet/kit/log'
import {
  createTestClock,
  createTestDatabase,
  createTestIssuer,
  createTestNetwork,
  createTestWorld,
  testServiceKeyFile,
  whileAdvancing,
  type TestClock,
} from '@quartet/kit/testing'
import { createTestFeed } from '@quartet/kit/testing/feed'
import { realRandom } from '@quartet/kit/random'
import type { App, Fetch, World } from '@quartet/kit/world'
import { createProvider } from '../../../../tools/provider/app.ts'
import { paymentsService } from '../app.ts'
import { readConfig, type Config } from '../config.ts'
import type { PayItem, PayOutcome, VoidItem, VoidOutcome } from '../contract/schemas.ts'

const API_KEY = 'sk_test_0123456789abcdef'
const WEBHOOK_SECRET = 'whsec_0123456789abcdef'
const WEBHOOK_URL = 'http://payments.test/webhooks/simulated'

type Options = { webhooks?: boolean }

/** One replica, and a provider of its own, which sends webhooks if asked to; `open` adds a replica. */
export async function createTestPayments(
  settings: NodeJS.ProcessEnv = {},
  { webhooks = false }: Options = {},
) {
  const database = await createTestDatabase(paymentsService)
  const folder = mkdtempSync(path.join(tmpdir(), 'payments-'))
  const clock = createTestClock()
  const issuer = await createTestIssuer(clock)
  const users = createTestFeed(clock, '/users')
  const shop: Fetch = (url, init) => network(url, init)
  const provider = newProvider(folder, clock, webhooks ? shop : undefined)
  await provider.start()
  const own = { ...(await settingsOf(folder, webhooks)), DATABASE_URL: database.url }
  const config = readConfig({ ...own, ...settings })
  const network = createTestNetwork({
    'http://users.test': (request) =>
      request.url.includes('/events?') ? users.fetch(request) : issuer.fetch(request),
    'http://orders.test': issuer.fetch,
    // A connection that breaks is a provider that doesn't answer.
    'http://provider.test': async (request) =>
      (await provider.fetch(request)) ?? Promise.reject(new TypeError('fetch failed')),
    'http://payments.test': (request) => takeWebhook(request),
  })
  const replicas: App[] = []
  let takeWebhook = (request: Request) => app.fetch(request)

  // A replica that only answers: what goes on in the background the others do.
  function openIdle(changes: Partial<World<Config>> = {}): App {
    const world = createTestWorld({ config, db: database.db, clock, fetch: network })
    return paymentsService.createApp({ ...world, ...changes })
  }

  async function open(fetch: Fetch = network): Promise<App> {
    const app = openIdle({ fetch })
    await app.start()
    replicas.push(app)
    return app
  }

  const meanwhile = <Result>(promise: Promise<Result>) => whileAdvancing(clock, promise)

  const app = await open()
  return {
    app,
    clock,
    database,
    issuer,
    users,
    network,
    open,
    openIdle,
    meanwhile,
    provider,
    /** From now on the provider's webhooks go there. */
    onWebhook: (take: App['fetch']) => void (takeWebhook = take),
    admin: await issuer.user('usr_admin', 'admin'),
    customer: await issuer.user('usr_1'),
    async close() {
      await meanwhile(Promise.all(replicas.map((replica) => replica.stop())))
      await provider.stop()
      await database.drop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export type TestPayments = Awaited<ReturnType<typeof createTestPayments>>

async function settingsOf(folder: string, webhooks: boolean): Promise<NodeJS.ProcessEnv> {
  const file = (name: string, text: string) => {
    const where = path.join(folder, name)
    writeFileSync(where, text)
    return where
  }
  return {
    USERS_URL: 'http://users.test',
    ORDERS_URL: 'http://orders.test',
    SERVICE_KEY_FILE: await testServiceKeyFile(),
    PROVIDER_URL: 'http://provider.test',
    PROVIDER_API_KEY_FILE: file('key', API_KEY),
    ...(webhooks ? { WEBHOOK_SECRET_FILE: file('webhook-secret', WEBHOOK_SECRET) } : {}),
  }
}

const newProvider = (folder: string, clock: TestClock, shop: Fetch | undefined) =>
  createProvider({
    dataFile: path.join(folder, 'record.jsonl'),
    apiKey: API_KEY,
    clock,
    timers: clock.timers,
    random: realRandom,
    log: silentLog,
    publicUrl: 'http://provider.test',
    webhooks: shop && { url: WEBHOOK_URL, secrets: [WEBHOOK_SECRET], fetch: shop },
  })

type Call = { method?: string; body?: unknown; as?: string | null; key?: string; app?: App }
export type Answer = { status: number; headers: Headers; body: Record<string, unknown> }

/** Sends a request, as the customer unless said otherwise; `as: null` sends no token. */
export async function call(at: TestPayments, to: string, options: Call = {}): Promise<Answer> {
  const { body, key, app = at.app, as = at.customer } = options
  const method = options.method ?? (body === undefined ? 'GET' : 'POST')
  const headers: Record<string, string> = {
    ...(as === null ? {} : { authorization: as }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
  }
  const init = body === undefined ? {} : { body: JSON.stringify(body) }
  const request = new Request(`http://payments.test${to}`, { method, headers, ...init })
  const response = await at.meanwhile(app.fetch(request))
  const parsed = (await response.json()) as Record<string, unknown>
  return { status: response.status, headers: response.headers, body: parsed }
}

async function command(at: TestPayments, name: string, items: unknown[], app?: App) {
  const as = await at.issuer.service('orders', 'payments', name)
  const options = { body: { items }, as, ...(app === undefined ? {} : { app }) }
  const { status, body } = await call(at, `/commands/${name}`, options)
  if (status !== 200) throw new Error(`${name}: ${status} ${JSON.stringify(body)}`)
  return body['outcomes']
}

export const pay = async (at: TestPayments, items: (PayItem | object)[], app?: App) =>
  (await command(at, 'pay', items, app)) as PayOutcome[]

export const voidOrders = async (at: TestPayments, items: VoidItem[], app?: App) =>
  (await command(at, 'void', items, app)) as VoidOutcome[]

let orders = 0
/** An order to pay 1000 for, by card; `changes` say what matters to the test. */
export function anOrder(changes: Partial<PayItem> = {}): PayItem {
  orders += 1
  return {
    order_id: `ord_${orders}`,
    owner_id: 'usr_1',
    amount: { amount: 1_000, currency: 'USD' },
    payment_method: 'pm_card_visa',
    capture_method: 'automatic',
    ...changes,
  }
}

type Metadata = { payment_id: string; order_id?: string }
type Entry = { type: string; amount: number; charge_key: string; metadata: Metadata | null }

/** Asks the provider itself, past the service; with a body it is a POST. */
export async function askProvider(at: TestPayments, to: string, body?: object): Promise<Response> {
  const headers = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' }
  const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const request = new Request(`http://provider.test${to}`, { headers, ...post })
  const response = await at.provider.fetch(request)
  if (response === undefined) throw new Error('the provider broke the connection')
  return response
}

export type WebhookEvent = {
  id: string
  type: string
  created: number
  data: Record<string, unknown>
}

/** The event that tells how a payment's charge stands at the provider by now. */
export async function webhookOf(
  at: TestPayments,
  paymentId: string,
  attempt = 1,
): Promise<WebhookEvent> {
  const response = await askProvider(at, '/v1/lookups', { keys: [`${paymentId}-${attempt}`] })
  const { outcomes } = (await response.json()) as { outcomes: { status: string }[] }
  const [charge] = outcomes
  const data = { ...charge, metadata: { payment_id: paymentId } }
  return { id: 'evt_1', type: `charge.${charge?.status}`, created: 0, data }
}

/** A webhook's request, signed as the provider signs. */
export function signedWebhook(
  at: TestPayments,
  event: unknown,
  { secret = WEBHOOK_SECRET, ageS = 0 } = {},
): Request {
  const body = typeof event === 'string' ? event : JSON.stringify(event)
  const timeS = Math.floor(at.clock.now() / 1_000) - ageS
  const mac = createHmac('sha256', secret).update(`${timeS}.${body}`).digest('hex')
  const headers = {
    'content-type': 'application/json',
    'provider-signature': `t=${timeS},v1=${mac}`,
  }
  return new Request(WEBHOOK_URL, { method: 'POST', headers, body })
}

/** The customer's answer on the challenge page. */
export async function decide(
  at: TestPayments,
  url: string,
  decision: 'approve' | 'decline',
): Promise<void> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = `decision=${decision}`
  await at.provider.fetch(new Request(url, { method: 'POST', headers, body }))
}

/** What was said of a payment, in order, numbered or not yet. */
export async function said(at: TestPayments, id: string): Promise<string[]> {
  const rows = await at.database.db.query<{ type: string }>(
    `select type from (select type, time, 0 as place, sequence as number from events where subject = $1
       union all select type, time, 1, position from outbox where subject = $1) as said
     order by place, number`,
    [id],
  )
  return rows.map(({ type }) => type)
}

/** What the provider says that it took and gave back, in all. */
export async function totals(at: TestPayments): Promise<{ captured: number; refunded: number }> {
  const { data } = (await (await askProvider(at, '/v1/totals')).json()) as {
    data: { captured: number; refunded: number }[]
  }
  return data[0] ?? { captured: 0, refunded: 0 }
}

async function readRecord(at: TestPayments): Promise<Entry[]> {
  const entries: Entry[] = []
  let after: number | null = 0
  while (after !== null) {
    const response = await askProvider(at, `/v1/record?after=${after}`)
    const page = (await response.json()) as { data: Entry[]; next: number | null }
    entries.push(...page.data)
    after = page.next
  }
  return entries.filter(({ type }) => ['charged', 'captured', 'refunded'].includes(type))
}

/** What the provider has recorded for an order: what moved money, in order. */
export async function chargedFor(at: TestPayments, orderId: string): Promise<[string, number][]> {
  const entries = await readRecord(at)
  return entries
    .filter(({ metadata }) => (metadata?.order_id ?? metadata?.payment_id) === orderId)
    .map(({ type, amount }) => [type, amount])
}

/** What `pay` answers once it is no longer `processing`. */
export async function payUntilFinal(at: TestPayments, item: PayItem): Promise<PayOutcome> {
  for (let tries = 0; tries < 100; tries += 1) {
    const [outcome] = await pay(at, [item])
    if (outcome !== undefined && outcome.outcome !== 'processing') return outcome
    await at.meanwhile(at.clock.timers.sleep(500))
  }
  throw new Error('still processing')
}

/** What `void` answers once it is no longer `processing`. */
export async function voidUntilFinal(at: TestPayments, item: VoidItem): Promise<VoidOutcome> {
  for (let tries = 0; tries < 100; tries += 1) {
    const [outcome] = await voidOrders(at, [item])
    if (outcome !== undefined && outcome.outcome !== 'processing') return outcome
    await at.meanwhile(at.clock.timers.sleep(500))
  }
  throw new Error('still processing')
}

/** Waits until no payment waits for the provider, but those whose buyer has to act. */
export async function settle(at: TestPayments): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const open = await at.database.db.query(
      `select from open_payments join payments on payments.id = payment_id
       where status <> 'requires_action' or undo`,
    )
    if (open.length === 0) return
    await at.meanwhile(at.clock.timers.sleep(1_000))
  }
  throw new Error('payments still wait')
}

type Books = { id: string; received: number; refunded: number; booked: number; open: boolean }

/** Fails unless the books agree: a payment's amounts with its account, and with the provider's record. */
export async function checkBooks(at: TestPayments): Promise<void> {
  const books = await at.database.db.query<Books>(
    `select id, amount_received as received, amount_refunded as refunded,
       (select coalesce(sum(case when destination = 'payments:' || payments.id then amount else -amount end), 0)
        from ledger_postings where 'payments:' || payments.id in (source, destination)) as booked,
       exists (select from open_payments where payment_id = payments.id) as open
     from payments`,
  )
  const moved = Map.groupBy(await readRecord(at), ({ metadata }) => metadata?.payment_id)
  const wrong = books.filter(({ id, received, refunded, booked, open }) => {
    const entries = moved.get(id) ?? []
    const net = entries.reduce(
      (sum, each) => sum + each.amount * (each.type === 'refunded' ? -1 : 1),
      0,
    )
    const charges = entries.filter(({ type }) => type !== 'refunded')
    const isKnown = open || net === received - refunded
    return received - refunded !== booked || !isKnown || charges.length > 1
  })
  if (wrong.length > 0) throw new Error(`books differ: ${JSON.stringify(wrong)}`)
}
