/** Owns a shop in one process whose books a test can spoil, and what a reconciliation then finds anew. */
import assert from 'node:assert/strict'
import { whileAdvancing } from '@quartet/kit/testing'
import { mend } from '../../tools/reconcile/mend.ts'
import { reconcile, type Report } from '../../tools/reconcile/reconcile.ts'
import { newClient, type Target } from '../../tools/reconcile/books.ts'
import type { Difference } from '../../tools/reconcile/check.ts'
import { SERVICES, type ServiceName } from '../../tools/start/plan.ts'
import { openInProcess } from '../in-process.ts'

type InProcess = Awaited<ReturnType<typeof openInProcess>>
type Body = Record<string, unknown>

export type SpoiledShop = Awaited<ReturnType<typeof openSpoiled>>

export async function openSpoiled() {
  const shop = await openInProcess()
  const urlOf = (service: ServiceName) => shop.databaseUrls[service] ?? ''
  const databaseUrls: Target['databaseUrls'] = {
    users: urlOf('users'),
    products: urlOf('products'),
    orders: urlOf('orders'),
    payments: urlOf('payments'),
  }
  const target: Target = { databaseUrls, provider: shop.provider }
  const { sql, close } = await openSql(databaseUrls)

  /** Lets the clock go on until it holds. */
  async function until(holds: () => Promise<boolean>): Promise<void> {
    const wait = async () => {
      while (!(await holds()));
    }
    await whileAdvancing(shop.clock, wait())
  }
  const quiet = () => until(() => isQuiet(sql))
  return {
    async close() {
      await close()
      await shop.close()
    },
    /** Runs SQL in a service's database, behind the back of the service. */
    sql,
    until,
    ...createClient(shop, quiet),
    ...createReconciling(shop, target, quiet),
  }
}

/** Whether all events have their numbers, and all readers have read them. */
async function isQuiet(sql: <Row extends Body>(at: ServiceName, text: string) => Promise<Row[]>) {
  const newest = new Map<string, number>()
  for (const service of SERVICES) {
    const [log] = await sql<{ newest: number; waiting: number }>(
      service,
      'select last_sequence as newest, (select count(*) from outbox) as waiting from event_counter',
    )
    if (log === undefined || log.waiting > 0) return false
    newest.set(service, log.newest)
  }
  for (const service of SERVICES) {
    const positions = await sql<{ source: string; position: number }>(
      service,
      'select source, position from subscriptions',
    )
    if (positions.some(({ source, position }) => position < (newest.get(source) ?? 0))) return false
  }
  return true
}

async function openSql(urls: Target['databaseUrls']) {
  const clients = new Map(SERVICES.map((service) => [service, newClient(urls[service])]))
  await Promise.all([...clients.values()].map((client) => client.connect()))
  const sql = async <Row extends Body>(at: ServiceName, text: string, values: unknown[] = []) => {
    const answer = await clients.get(at)?.query<Row>(text, values)
    return answer?.rows ?? []
  }
  const close = () => Promise.all([...clients.values()].map((client) => client.end()))
  return { sql, close }
}

/** The admin, who buys too. */
function createClient({ fetch, admin, provider }: InProcess, quiet: () => Promise<void>) {
  let token = ''

  async function send(url: string, body?: Body, method = body === undefined ? 'GET' : 'POST') {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const content = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(url, { method, headers, ...content })
    return { status: response.status, body: (await response.json()) as Body }
  }

  /** Tokens last for a quarter of an hour, and this clock runs fast. */
  async function logIn(): Promise<void> {
    const { status, body } = await send('http://users.test/sessions', admin)
    assert.equal(status, 201)
    token = String(body['access_token'])
  }

  return {
    send,
    logIn,
    /** Places an order of two mugs, sold when this resolves; gives its id and that of its payment. */
    async place(id: string, changes: Body = {}, status = 201) {
      await logIn()
      const line_items = [{ product_id: 'mug', quantity: 2 }]
      const order = { id, line_items, payment_method: 'pm_card_visa', ...changes }
      const placed = await send('http://orders.test/orders', order)
      assert.equal(placed.status, status, JSON.stringify(placed.body))
      const { body } = await send(`http://payments.test/payments?order_id=${id}`)
      const [payment] = body['data'] as Body[]
      await quiet()
      return { id, payment: String(payment?.['id']) }
    },
    /** Asks the provider, with the API key that payments has. */
    async askProvider(path: string, body: Body): Promise<void> {
      const authorization = `Bearer ${provider.apiKey}`
      const headers = { 'content-type': 'application/json', authorization }
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      const response = await fetch(provider.url + path, init)
      assert.equal(response.status, 200, await response.text())
    },
  }
}

/** `quiet` waits until all events are read. */
function createReconciling(shop: InProcess, target: Target, quiet: () => Promise<void>) {
  const { fetchNow: fetch, clock } = shop
  const known = new Set<string>()

  /** Does `meanwhile` between the two looks. */
  function run(graceMs: number, meanwhile: () => Promise<unknown>): Promise<Report> {
    const sleep = async () => void (await meanwhile())
    return reconcile(target, { graceMs, now: clock.now, sleep, fetch })
  }

  async function foundAtOnce(): Promise<string[]> {
    const { differences } = await run(0, () => Promise.resolve())
    const added = differences.map(nameOf).filter((name) => !known.has(name))
    for (const name of added) known.add(name)
    return added.toSorted()
  }

  return {
    quiet,
    run,
    /** All differences that were found so far. */
    known,
    foundAtOnce,
    /** The differences that were not there before, as `name id`, sorted. */
    async found(): Promise<string[]> {
      await quiet()
      return foundAtOnce()
    },
    mend: (differences: Difference[]) => mend(target, differences, new Date(clock.now())),
  }
}

export const nameOf = ({ kind, id }: Pick<Difference, 'kind' | 'id'>): string => `${kind} ${id}`
