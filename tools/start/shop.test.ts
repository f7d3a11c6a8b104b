/** Owns the proof of `npm start`: first start, second start, deaths and ends, on real processes. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { isFree } from '../ports.ts'
import { guardRuns } from '../postgres/join.ts'
import { isAlive, waitUntilGone } from '../processes.ts'
import type { Credentials } from './credentials.ts'
import { askHealth } from './health.ts'
import { planShop, PROCESSES } from './plan.ts'
import { readRunFile } from './run-file.ts'
import { startShop, type Shop, type ShopEvent, type ShopOptions } from './shop.ts'

const STOP_LIMIT_MS = 5_000
const DEATH_LIMIT_MS = 10_000
let dataDir = ''
let portBase = 0

before(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'quartet-shop-'))
  portBase = await freePortBase()
})
after(() => rmSync(dataDir, { recursive: true, force: true }))

test('the first start brings up everything, with pages, a catalog and two accounts, and stops in time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quartet-shop-pages-'))
  writeFileSync(join(folder, 'index.html'), '<title>Shop</title>')
  const shop = await start(undefined, { pages: () => Promise.resolve({ folder }) })
  try {
    for (const name of PROCESSES) assert.equal(await askHealth(shop.urls[name]), 'ready', name)
    assert.equal(await (await fetch(shop.urls.gateway)).text(), '<title>Shop</title>')
    assert.ok((await countProducts(shop)) >= 60)
    assert.equal(await roleOf(shop, 'admin'), 'admin')
    assert.equal(await roleOf(shop, 'customer'), 'customer')
    assert.equal(await buy(shop), 'confirmed') // the very first order need not wait for anybody's keys
    assertInNoLog([shop.credentials.admin.password, shop.credentials.customer.password])
  } finally {
    const pids = pidsOf(shop)
    const startedMs = performance.now()
    await shop.stop()
    assert.ok(performance.now() - startedMs < STOP_LIMIT_MS)
    assertNothingRuns(pids)
    assert.equal(await guardRuns(dataDir), false)
    rmSync(folder, { recursive: true })
  }
})

test('the second start keeps the data, does without pages, and starts a service again that was killed', async () => {
  const events: ShopEvent[] = []
  const back = Promise.withResolvers<void>()
  const onEvent = (event: ShopEvent) => {
    events.push(event)
    if (event.type === 'process-back') back.resolve()
  }
  const shop = await start(onEvent, { pages: () => Promise.resolve({ reason: 'no builder' }) })
  try {
    assert.ok(events.some((event) => event.type === 'no-pages' && event.reason === 'no builder'))
    assert.match(await (await fetch(shop.urls.gateway)).text(), /"name":"Quartet"/)
    assert.ok((await countProducts(shop)) >= 60)
    const pid = shop.processes.get('products')?.pid()
    shop.kill('products', 'SIGKILL')
    await back.promise
    assert.notEqual(shop.processes.get('products')?.pid(), pid)
    assert.ok((await countProducts(shop)) >= 60)
    const died = events.find(({ type }) => type === 'process-died')
    assert.deepEqual(died, {
      type: 'process-died',
      name: 'products',
      reason: 'killed by SIGKILL',
      retryMs: 200,
      attempt: 1,
    })
  } finally {
    await shop.stop()
  }
})

test('a supervisor killed by -9 leaves nothing behind, and the next start works', async () => {
  const args = ['--data', dataDir, '--port-base', String(portBase)]
  const supervisor = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  for await (const chunk of supervisor.stdout) {
    output += String(chunk)
    if (output.includes('Stop: Ctrl-C')) break
  }
  const pids = (readRunFile(dataDir)?.processes ?? []).flatMap(({ pid }) => pid ?? [])
  assert.equal(pids.length, PROCESSES.length)
  supervisor.kill('SIGKILL')
  await once(supervisor, 'exit')
  for (const pid of pids) assert.equal(await waitUntilGone(pid, DEATH_LIMIT_MS), true)
  const shop = await start()
  await shop.stop()
})

test('--one-process serves the same on the same ports', async () => {
  const shop = await start(undefined, { oneProcess: true })
  try {
    const { users, orders, gateway } = Object.fromEntries(
      [...shop.processes].map(([name, kept]) => [name, kept.pid()]),
    )
    assert.equal(users, orders)
    assert.equal(users, gateway)
    for (const name of PROCESSES) assert.equal(await askHealth(shop.urls[name]), 'ready', name)
    assert.equal(await buy(shop), 'confirmed')
  } finally {
    await shop.stop()
  }
})

function start(
  onEvent?: (event: ShopEvent) => void,
  more: Partial<Pick<ShopOptions, 'oneProcess' | 'pages'>> = {},
): Promise<Shop> {
  const options = { dataDir, portBase, fresh: false, oneProcess: false, ...more }
  return startShop(onEvent === undefined ? options : { ...options, onEvent })
}

async function freePortBase(): Promise<number> {
  for (;;) {
    const base = 20_000 + 100 * Math.floor(Math.random() * 100)
    const free = await Promise.all(Object.values(planShop(base).ports).map(isFree))
    if (!free.includes(false)) return base
  }
}

async function countProducts({ urls }: Shop): Promise<number> {
  const response = await fetch(`${urls.products}/products?limit=100`)
  return z.object({ data: z.array(z.unknown()) }).parse(await response.json()).data.length
}

/** The status of an order placed through the gateway. */
async function buy({ urls, credentials }: Shop): Promise<string> {
  const order = {
    line_items: [{ product_id: 'prd_walnut-desk', quantity: 1 }],
    payment_method: 'pm_card_visa',
  }
  const token = await logIn(`${urls.gateway}/api`, credentials.customer)
  const response = await post(`${urls.gateway}/api/orders`, order, token)
  return z.object({ status: z.string() }).parse(await response.json()).status
}

async function roleOf({ urls, credentials }: Shop, who: keyof Credentials): Promise<string> {
  const token = await logIn(urls.users, credentials[who])
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
  return z.object({ role: z.string() }).parse(JSON.parse(claims)).role
}

async function logIn(base: string, account: Credentials['admin']): Promise<string> {
  const response = await post(`${base}/sessions`, account)
  return z.object({ access_token: z.string() }).parse(await response.json()).access_token
}

function post(url: string, body: unknown, token?: string): Promise<Response> {
  const headers = new Headers({ 'content-type': 'application/json' })
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
}

function pidsOf(shop: Shop): number[] {
  return [...shop.processes.values()].flatMap((kept) => kept.pid() ?? [])
}

function assertNothingRuns(pids: number[]): void {
  assert.deepEqual(pids.filter(isAlive), [])
}

function assertInNoLog(secrets: string[]): void {
  const folder = join(dataDir, 'logs')
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8')
    for (const secret of secrets) assert.equal(text.includes(secret), false, name)
  }
}
