/** Proves what becomes of an admin who is erased: nothing is opened any more, and no kept answer tells of them. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { realTimers } from '@quartet/kit/time'
import { aDesk, call, createTestProducts, type TestProducts } from './testing/shop.ts'

let at: TestProducts
before(async () => {
  at = await createTestProducts()
})
after(() => at.close())

/** Waits in real time: the clock of these tests stands still. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries += 1) {
    assert.ok(tries < 500, 'not within 5 s')
    await at.clock.advance(0)
    await realTimers.sleep(10)
  }
}

test('rule 22: an erased admin writes and reads nothing more by a token that is still good; what anyone may read goes on', async () => {
  const as = await at.issuer.user('usr_gone', 'admin')
  const made = await call(at, '/products', { body: aDesk({ id: 'prd_theirs' }), key: 'k', as })
  assert.equal(made.status, 201)
  await call(at, '/products', { body: aDesk(), key: 'k' })
  const second = await at.open()
  const data = { user_id: 'usr_gone', role: 'admin' }
  at.users.say({ type: 'user.erased.v1', subject: 'usr_gone', data })
  const stock = '/products/prd_theirs/stock'
  for (const app of [at.app, second]) {
    await until(async () => (await call(at, stock, { as, app })).status === 401)
    for (const [path, options] of [
      ['/products', { body: aDesk(), key: 'k' }],
      [stock, { body: { quantity: 1 } }],
      ['/products/prd_theirs', { method: 'PUT', body: { name: 'X' } }],
      ['/products/prd_theirs', { method: 'DELETE' }],
    ] as const) {
      const { status, body } = await call(at, path, { ...options, as, app })
      assert.deepEqual([status, body['code']], [401, 'account_erased'])
    }
  }
  assert.equal((await call(at, '/products/prd_theirs', { as: null })).body['name'], aDesk().name)
  const keptFor = () =>
    at.database.db.query<{ subject: string }>('select subject from idempotency_keys')
  await until(async () => (await keptFor()).length === 1)
  assert.deepEqual(await keptFor(), [{ subject: 'usr_admin' }])
})
