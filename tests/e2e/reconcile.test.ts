/** Proves npm run reconcile as a person runs it: on a shop that sells, on one that is spoiled, and on none. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { newClient } from '../../tools/reconcile/books.ts'
import { withRunningShop } from '../../tools/reconcile/running-shop.ts'
import { reconcile as assertReconciled } from './reconcile.ts'
import { call, inParallel, newProduct, openShop, until, type TestShop } from './shop.ts'

let at: TestShop
before(async () => {
  at = await openShop({ replicas: { orders: 2 } })
})
after(() => at.close())

async function reconcile(args: string[], env: Record<string, string> = {}) {
  const script = path.join(import.meta.dirname, '../../tools/reconcile/main.ts')
  const child = spawn(process.execPath, [script, ...args], { env: { ...process.env, ...env } })
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code: Number(code), out, err }
}

const onThis = (...args: string[]) => ['--data', at.shop.dataDir, ...args]

async function query(service: 'orders' | 'payments', sql: string): Promise<void> {
  await withRunningShop(at.shop.dataDir, async ({ databaseUrls }) => {
    const client = newClient(databaseUrls[service])
    await client.connect()
    await client.query(sql).finally(() => client.end())
  })
}

test('a shop that sells as fast as it can: nothing that is on its way is told', async () => {
  const id = await newProduct(at, 'sold-meanwhile', 100_000)
  const token = await at.newCustomer()
  const methods = ['pm_card_visa', 'pm_card_slow', 'pm_card_chargeDeclined', 'pm_card_lostAnswer']
  let isOver = false
  const selling = inParallel(100_000, 32, async (n) => {
    if (isOver) return
    const line_items = [{ product_id: id, quantity: 1 }]
    const body = { line_items, payment_method: methods[n % methods.length] }
    const { body: order } = await call(`${at.shop.urls.orders}/orders`, { body, token })
    if (n % 5 === 0) {
      const url = `${at.shop.urls.orders}/orders/${String(order['id'])}/cancel`
      await call(url, { method: 'POST', token })
    }
  })
  try {
    for (let times = 0; times < 3; times += 1) await assertReconciled(at.shop)
    const told = await reconcile(onThis('--grace-s', '0'))
    assert.deepEqual([told.code, told.err], [0, ''], told.out)
    assert.match(told.out, /^orders, payments +[\d,]+ orders +agree$/m)
    assert.match(told.out, /All books agree: 0 differences\.\n$/)
  } finally {
    isOver = true
    await selling
  }
})

test('a spoiled shop: exit code 1, the name, and what mends it; --mend does', async () => {
  const id = await newProduct(at, 'waits', 10)
  const token = await at.newCustomer()
  const line_items = [{ product_id: id, quantity: 1 }]
  const later = await call(`${at.shop.urls.orders}/orders`, { body: { line_items }, token })
  assert.equal(later.status, 202)
  const order = String(later.body['id'])
  await until(async () => (await reconcile(onThis())).code === 0, 60_000)
  await query('orders', `delete from open_orders where order_id = '${order}'`)

  const told = await reconcile(onThis())
  assert.equal(told.code, 1)
  assert.match(told.out, /^orders, open_orders +\d+ open orders +1 differs$/m)
  assert.match(told.out, /^unfinished_order_not_open: 1$/m)
  assert.match(told.out, /^ {2}mend: npm run reconcile -- --mend$/m)
  assert.match(told.out, new RegExp(`^ {4}${order} {2}it is pending$`, 'm'))
  assert.deepEqual(
    told.out.split('\n').filter((line) => line.length > 80),
    [],
  )
  const json = await reconcile(onThis('--json'))
  const lines = json.out.trim().split('\n')
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual([json.code, parsed.at(-1)?.['id']], [1, order])

  const mended = await reconcile(onThis('--mend'))
  assert.deepEqual([mended.code, /looks again at 1\./.test(mended.err)], [1, true])
  await assertReconciled(at.shop)
})

test('a shop elsewhere is found by its databases’ URLs', async () => {
  await withRunningShop(at.shop.dataDir, async ({ databaseUrls, provider }) => {
    const env = {
      RECONCILE_USERS_URL: databaseUrls.users,
      RECONCILE_PRODUCTS_URL: databaseUrls.products,
      RECONCILE_ORDERS_URL: databaseUrls.orders,
      RECONCILE_PAYMENTS_URL: databaseUrls.payments,
      PROVIDER_URL: provider.url,
      PROVIDER_API_KEY_FILE: path.join(at.shop.dataDir, 'secrets/provider-api-key'),
    }
    const told = await reconcile(['--grace-s', '0'], env)
    assert.equal(told.code, 0, told.out + told.err)
    const partly = await reconcile([], { ...env, RECONCILE_USERS_URL: '' })
    assert.deepEqual([partly.code, /RECONCILE_USERS_URL/.test(partly.err)], [1, true])
    const gone = await reconcile([], { ...env, PROVIDER_URL: 'http://127.0.0.1:1' })
    assert.deepEqual([gone.code, /does not answer/.test(gone.err)], [1, true])
  })
})

test('without a shop, or with an option that there is not, it says so in a sentence', async () => {
  const none = await reconcile(['--data', path.join(at.shop.dataDir, 'nothing')])
  assert.deepEqual([none.code, /Quartet is not running/.test(none.err)], [1, true])
  const unknown = await reconcile(['--fix'])
  assert.deepEqual([unknown.code, /Unknown option '--fix'/.test(unknown.err)], [1, true])
  const grace = await reconcile(['--grace-s', 'long'])
  assert.deepEqual([grace.code, /--grace-s wants seconds/.test(grace.err)], [1, true])
  const help = await reconcile(['--help'])
  assert.deepEqual([help.code, /--mend/.test(help.out)], [0, true])
  assert.deepEqual(
    help.out.split('\n').filter((line) => line.length > 80),
    [],
  )
})
