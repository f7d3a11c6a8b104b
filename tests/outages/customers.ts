/** Owns what customers do while something is away: through the gateway, from a browser, and at the services themselves. */
import assert from 'node:assert/strict'
import { ADMIN } from '../replicas/processes.ts'
import type { Deed, Row, Victim } from './rows.ts'
import type { World } from './world.ts'

/** What a customer waits for; a refused connection is held for 5 s. */
const PATIENCE_MS = 4_000
const ANSWERED_WITHIN_MS = 8_000

export type Answer = {
  status: number
  body: Record<string, unknown>
  headers: Headers
  tookMs: number
}

/** `browser`: with a session's cookies, through the gateway; `service`: past the gateway. */
export type By = 'gateway' | 'browser' | 'service'

export type Ask = { by: By; key: string }

const SERVICE_OF = {
  buy: 'orders',
  catalog: 'products',
  orders: 'orders',
  payments: 'payments',
  login: 'users',
} as const

export type Customers = Awaited<ReturnType<typeof openCustomers>>

/** Logs in and puts a product on the shelf: somebody who may do all there is to do, by each way. */
export async function openCustomers(world: World, product: string) {
  const gateway = world.originOf('gateway')
  let sent = 0
  const newKey = () => `outage-${(sent += 1)}`

  const login = await send(`${world.originOf('users')}/sessions`, { body: ADMIN })
  const authorization = `Bearer ${String(login.body['access_token'])}`
  const price = { amount: 1_000, currency: 'USD' }
  const shelf = { id: product, name: 'Outages', description: '', category: 'Tests', price }
  const made = await send(`${world.originOf('products')}/products`, {
    body: { ...shelf, stock: 1_000_000 },
    headers: { authorization },
  })
  assert.equal(made.status, 201)
  const session = await send(`${gateway}/browser/session`, {
    body: ADMIN,
    headers: { origin: gateway },
  })
  const cookies = session.headers.getSetCookie().map((each) => each.split(';')[0])
  const cookie = cookies.join('; ')

  /** One deed; the gateway's own paths have `/api` in front. */
  function ask(deed: Deed, { by, key }: Ask = { by: 'gateway', key: newKey() }): Promise<Answer> {
    const origin = by === 'service' ? world.originOf(SERVICE_OF[deed]) : `${gateway}/api`
    const identity = by === 'browser' ? { cookie, origin: gateway } : { authorization }
    switch (deed) {
      case 'buy': {
        const line_items = [{ product_id: product, quantity: 1 }]
        const body = { line_items, payment_method: 'pm_card_visa' }
        const headers = { ...identity, 'idempotency-key': key }
        return send(`${origin}/orders`, { body, headers })
      }
      case 'catalog':
        return send(`${origin}/products/${product}`, { headers: identity })
      case 'orders':
        return send(`${origin}/orders?limit=1`, { headers: identity })
      case 'payments':
        return send(`${origin}/payments?limit=1`, { headers: identity })
      case 'login':
        return send(`${origin}/sessions`, { body: ADMIN })
    }
  }

  return {
    ask,
    newKey,
    /** Any other request to a service or, under `/api`, to the gateway. */
    request: (url: string, body?: unknown) =>
      send(url, { ...(body === undefined ? {} : { body }), headers: { authorization } }),
    /** Who the browser is, as the gateway tells it. */
    whoAmI: async () => (await send(`${gateway}/browser/session`, { headers: { cookie } })).body,
  }
}

async function send(
  url: string,
  { body, headers }: { body?: unknown; headers?: Record<string, string> },
): Promise<Answer> {
  const startedMs = performance.now()
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'x-request-timeout-ms': String(PATIENCE_MS),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(ANSWERED_WITHIN_MS),
  })
  const told = (await response.json()) as Record<string, unknown>
  const tookMs = performance.now() - startedMs
  return { status: response.status, body: told, headers: response.headers, tookMs }
}

/** What an answer is in the table. */
export const seenAs = ({ status, headers }: Answer): number | 'old' =>
  status === 200 && headers.has('age') ? 'old' : status

/** The ways by which a deed is answered as the table says, while a victim is away. */
export function waysTo(deed: Deed, { victim, way, seen }: Row): By[] {
  // Who is not there is not asked at its own door, and only the gateway has copies.
  const past: By[] = SERVICE_OF[deed] === victim || seen[deed].includes('old') ? [] : ['service']
  if (victim === 'gateway' && way !== 'slow') return past
  return deed === 'buy' ? [...past, 'gateway', 'browser'] : [...past, 'gateway']
}

/** Fails unless a 503 says when to come again, and what is away. */
export function assertClear(answer: Answer, { victim, way }: Row, deed: Deed, story: string): void {
  assert.ok(answer.headers.has('retry-after'), story)
  const { code, service } = answer.body
  if (way === 'slow') assert.notEqual(code, 'unavailable', story)
  else assert.ok(namesOf(victim, deed).includes(`${String(code)} ${String(service)}`), story)
}

function namesOf(victim: Victim, deed: Deed): string[] {
  const byGateway = ['service_unavailable', 'service_timeout']
  if (victim !== 'postgres') return byGateway.map((code) => `${code} ${victim}`)
  return ['database_unavailable undefined', `service_timeout ${SERVICE_OF[deed]}`]
}
