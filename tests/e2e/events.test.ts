/** Proves that a bad event harms nobody but its subject, and that a person can find it and have it applied. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { silentLog } from '@quartet/kit/log'
import { connectPostgres } from '@quartet/kit/postgres'
import { realRandom } from '@quartet/kit/random'
import { realTimers } from '@quartet/kit/time'
import { joinPostgres } from '../../tools/postgres/join.ts'
import { call, checkBooks, newProduct, openShop, stockOf, until, type TestShop } from './shop.ts'

let at: TestShop
before(async () => {
  at = await openShop({ replicas: { products: 2 } })
})
after(() => at.close())

async function query(database: string, sql: string, values: unknown[]): Promise<void> {
  const server = await joinPostgres({ dataDir: at.shop.dataDir, port: at.shop.ports.postgres })
  const db = connectPostgres({
    url: await server.urlOf('postgres', database),
    poolSize: 1,
    applicationName: 'test',
    timers: realTimers,
    random: realRandom,
    log: silentLog,
  })
  try {
    await db.query(sql, values)
  } finally {
    await db.close()
    await server.leave()
  }
}

async function events(...args: string[]): Promise<{ code: unknown; said: string }> {
  const script = path.join(import.meta.dirname, '../../tools/start/events.ts')
  const child = spawn(process.execPath, [script, '--data', at.shop.dataDir, ...args])
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code, said: out + err }
}

async function buy(productId: string): Promise<string> {
  const line_items = [{ product_id: productId, quantity: 1 }]
  const body = { line_items, payment_method: 'pm_card_visa' }
  const token = await at.newCustomer()
  const answer = await call(`${at.shop.urls.orders}/orders`, { body, token })
  assert.equal(answer.status, 201)
  return String(answer.body['id'])
}

const soldOf = async (id: string) => (await stockOf(at, id)).body['stocked_quantity']

test('rule 20: an event that nobody can read is set aside, told, and applied once it is mended', async () => {
  const id = await newProduct(at, 'told', 10)
  const damage = `insert into outbox (id, type, subject, time, data)
    values ('evt_bad', 'order.confirmed.v1', $1, now(), '{"order": "?"}')`
  await query('orders', damage, ['ord_bad'])
  await buy(id) // rings, and comes behind the bad one
  await until(async () => (await soldOf(id)) === 9, 10_000)
  const shown = await events()
  assert.equal(shown.code, 1)
  assert.match(shown.said, /orders +\d+ +products +\d+/)
  assert.match(shown.said, /products +orders +\d+ +order\.confirmed\.v1 +ord_bad/)
  const again = await events('replay', 'products', 'orders', 'ord_bad')
  assert.deepEqual([again.code, /still cannot be applied/.test(again.said)], [1, true])
  const mend = `update set_aside_events set data = '{"order_id": "ord_unknown"}' where subject = $1`
  await query('products', mend, ['ord_bad'])
  assert.deepEqual(await events('replay', 'products', 'orders', 'ord_bad'), {
    code: 0,
    said: '1 applied.\n',
  })
  const mended = await events()
  assert.deepEqual([mended.code, /Nothing is set aside/.test(mended.said)], [0, true])
  await checkBooks(at)
})

test('what cannot be replayed is refused in a sentence', async () => {
  const refusals: [string[], RegExp][] = [
    [['replay', 'nosuch', 'orders', 'x'], /nosuch: one of users, products/],
    [['replay', 'products'], /Replay what\?/],
    [['replay', 'users', 'orders', 'x'], /Source not found/],
    [['--bogus'], /Unknown option/],
  ]
  for (const [args, pattern] of refusals) {
    const { code, said } = await events(...args)
    assert.equal(code, 1, args.join(' '))
    assert.match(said, pattern)
    assert.doesNotMatch(said, /^ +at /m, 'no stack')
  }
})
