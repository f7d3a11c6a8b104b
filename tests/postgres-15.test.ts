import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { silentLog } from '@quartet/kit/log'
import { connectPostgres, type Database } from '@quartet/kit/postgres'
import { realRandom } from '@quartet/kit/random'
import { realTimers } from '@quartet/kit/time'
import { openInProcess } from './in-process.ts'

// The oldest PostgreSQL that is promised, where the machine has one.
const SERVER =
  process.env['QUARTET_TEST_POSTGRES_15_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres'

async function onServer<Result>(use: (db: Database) => Promise<Result>): Promise<Result> {
  const db = connectPostgres({
    url: SERVER,
    poolSize: 2,
    applicationName: 'test',
    timers: realTimers,
    random: realRandom,
    log: silentLog,
  })
  try {
    return await use(db)
  } finally {
    await db.close()
  }
}

const isFifteen = await onServer((db) => db.query('show server_version'))
  .then((rows) => JSON.stringify(rows).includes(':"15'))
  .catch(() => false)
const skip = isFifteen ? false : 'no PostgreSQL 15 at 127.0.0.1:5432'

after(async () => {
  if (!isFifteen) return
  await onServer(async (db) => {
    const rows = await db.query<{ datname: string }>(
      `select datname from pg_database where datname ~ '^template_(users|products|orders|payments)_'`,
    )
    for (const { datname } of rows) await db.query(`drop database if exists "${datname}"`)
  })
})

test('on PostgreSQL 15: all services migrate, and an order is paid', { skip }, async () => {
  process.env['QUARTET_TEST_DATABASE_URL'] = SERVER
  const shop = await openInProcess()
  const post = async (url: string, body: object, token?: string) => {
    const response = await shop.fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  try {
    const { body: session } = await post('http://users.test/sessions', shop.admin)
    const token = String(session['access_token'])
    const price = { amount: 1_999, currency: 'EUR' }
    const product = {
      id: 'mug',
      name: 'Mug',
      description: '',
      category: 'Kitchen',
      price,
      stock: 3,
    }
    assert.equal((await post('http://products.test/products', product, token)).status, 201)
    const line_items = [{ product_id: 'mug', quantity: 2 }]
    const order = { line_items, payment_method: 'pm_card_visa' }
    const placed = await post('http://orders.test/orders', order, token)
    assert.equal(placed.status, 201)
    assert.deepEqual(placed.body['total'], { amount: 3_998, currency: 'EUR' })
    const list = await shop.fetch('http://payments.test/ledger/balance', {
      headers: { authorization: `Bearer ${token}` },
    })
    assert.deepEqual(await list.json(), {
      data: [{ currency: 'EUR', charged: 3_998, refunded: 0, sum_of_balances: 0 }],
    })
  } finally {
    await shop.close()
  }
})
