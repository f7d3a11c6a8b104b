/** Owns what must hold for figures to count: durable commits, verified tokens, kept keys, equal books. */
import assert from 'node:assert/strict'
import { createServiceSigner } from '../kit/auth.ts'
import { createRealCrypto } from '../kit/crypto.ts'
import { connectPostgres } from '../kit/postgres.ts'
import { realRandom } from '../kit/random.ts'
import { realClock, realTimers } from '../kit/time.ts'
import { createLog } from '../kit/log.ts'
import { call, checkBooks, until } from '../tests/e2e/shop.ts'
import { joinPostgres } from '../tools/postgres/join.ts'
import { orderBody, withFreshAdmin, type Stage } from './stage.ts'

const DURABILITY = ['fsync', 'synchronous_commit', 'full_page_writes']
const FIRST_GOOD_UNDICI = [8, 10, 1]
const END_LIMIT_MS = 60_000

/** Fails unless every commit is durable, as this shop's PostgreSQL itself says. Gives its version. */
export async function assertDurable({ at }: Stage): Promise<string> {
  const { dataDir, ports } = at.shop
  const server = await joinPostgres({ dataDir, port: ports.postgres })
  const db = connectPostgres({
    url: await server.urlOf('postgres'),
    poolSize: 1,
    applicationName: 'bench',
    timers: realTimers,
    random: realRandom,
    log: createLog('bench', 'silent'),
  })
  try {
    for (const name of DURABILITY) {
      const [row] = await db.query<{ value: string }>('select current_setting($1) as value', [name])
      assert.equal(row?.value, 'on', `PostgreSQL's ${name}`)
    }
    const [version] = await db.query<{ server_version: string }>('show server_version')
    return version?.server_version ?? ''
  } finally {
    await db.close()
    await server.leave()
  }
}

/** Fails on a Node whose fetch is known to be slow on loopback (undici #5493, #5600, #5731). */
export function assertGoodUndici(version = process.versions['undici'] ?? '0'): void {
  const parts = version.split('.').map(Number)
  const differs = FIRST_GOOD_UNDICI.findIndex((least, index) => parts[index] !== least)
  const isGood = differs === -1 || (parts[differs] ?? 0) > (FIRST_GOOD_UNDICI[differs] ?? 0)
  assert.ok(isGood, `undici ${version} of this Node is slow; at least 8.10.1 is wanted`)
}

/** Fails unless each way that is measured refuses a forged token and keeps a key. */
export async function assertGuarded({ at, tokens, products }: Stage): Promise<void> {
  const { urls } = at.shop
  const [token = ''] = tokens
  const body = orderBody(products[0] ?? '')
  const forged = forge(token)
  const ways = [`${urls.orders}/orders`, `${urls.gateway}/api/orders`]
  for (const [index, url] of ways.entries()) {
    const refused = await call(url, { body, token: forged, key: 'forged' })
    assert.equal(refused.status, 401, `a forged token at ${url}`)
    const key = `kept-${index}`
    const first = await call(url, { body, token, key })
    const again = await call(url, { body, token, key })
    assert.equal(first.status, 201, `a checkout at ${url}`)
    assert.equal(again.status, 201, `the same checkout at ${url}`)
    assert.equal(again.body['id'], first.body['id'], 'the same key is the same order')
    assert.equal(again.headers.get('idempotent-replayed'), 'true')
  }
  const answers = await Promise.all([
    call(`${urls.users}/users`, { token: forge(at.admin) }),
    call(`${urls.payments}/payments`, { token: forged }),
    call(`${urls.products}/products/${products[0]}/stock`, { token: forge(at.admin) }),
    command('products', urls.products, 'reserve', urls.orders),
    command('payments', urls.payments, 'pay', urls.orders),
  ])
  assert.deepEqual(
    answers.map(({ status }) => status),
    answers.map(() => 401),
    'a forged token at users, payments, products, and at the commands of the last two',
  )
}

// Signed by a key of ours that calls itself the one of orders.
async function command(audience: string, url: string, scope: string, ordersUrl: string) {
  const crypto = createRealCrypto()
  const { body } = await call(`${ordersUrl}/.well-known/jwks.json`)
  const [real] = body['keys'] as { kid: string }[]
  const key = { ...(await crypto.newSigningKey()), kid: real?.kid ?? '' }
  const sign = createServiceSigner({ clock: realClock, crypto }, 'orders', key)
  const token = await sign(audience, scope)
  return call(`${url}/commands/${scope}`, { body: { items: [{}] }, token })
}

// The same claims with another signature.
function forge(token: string): string {
  const [head, claims, signature = ''] = token.split('.')
  return [
    head,
    claims,
    signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`,
  ].join('.')
}

/** Waits for the last orders to end; fails unless all books agree, as npm run reconcile compares them. Gives how many there are. */
export async function assertBooks(stage: Stage): Promise<number> {
  const at = await withFreshAdmin(stage)
  await until(async () => {
    const { body } = await call(`${at.shop.urls.orders}/orders?status=pending&limit=1`, {
      token: at.admin,
    })
    return (body['data'] as unknown[]).length === 0
  }, END_LIMIT_MS)
  return (await checkBooks(at)).length
}
