/** Proves on real processes that a person who erases their account is refused and forgotten everywhere, and that the books agree. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { call, checkBooks, newProduct, openShop, until, type TestShop } from './shop.ts'

let at: TestShop
before(async () => {
  at = await openShop({ replicas: { products: 2, orders: 2, payments: 2 } })
})
after(() => at.close())

const address = {
  name: 'Ada Lovelace',
  line1: '12 St James’s Square',
  city: 'London',
  postal_code: 'SW1Y 4JH',
  country: 'GB',
}

/** Whose token it is. */
const ownerOf = (token: string): string => {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return (claims as { sub: string }).sub
}

async function buy(token: string, productId: string, key: string): Promise<string> {
  const line_items = [{ product_id: productId, quantity: 1 }]
  const body = { line_items, payment_method: 'pm_card_visa', shipping_address: address }
  const answer = await call(`${at.shop.urls.orders}/orders`, { body, token, key })
  assert.equal(answer.status, 201)
  return String(answer.body['id'])
}

/** What a valid token of somebody who is erased gets, at each of several replicas. */
async function refusals(token: string): Promise<Set<string>> {
  const { products, orders, payments } = at.shop.urls
  const asked = [`${orders}/orders`, `${payments}/payments`, `${products}/products/x/stock`]
  const answers = asked.flatMap((url) =>
    Array.from({ length: 8 }, () => call(url, { token, close: true })),
  )
  return new Set(
    (await Promise.all(answers)).map(({ status, body }) => `${status} ${String(body['code'])}`),
  )
}

test('rule 22: who erases the account is refused everywhere in a moment; what is owed is delivered, then forgotten', async () => {
  const { users, orders, payments } = at.shop.urls
  const productId = await newProduct(at, 'erasure', 10)
  const token = await at.newCustomer()
  const [delivered, undone] = [await buy(token, productId, 'k1'), await buy(token, productId, 'k2')]
  const body = { amount: { amount: 500, currency: 'USD' }, payment_method: 'pm_card_visa' }
  const own = await call(`${payments}/payments`, { body, token, key: 'k3' })
  assert.equal(own.status, 201)

  const url = `${users}/users/${ownerOf(token)}`
  assert.equal((await call(url, { method: 'DELETE', token })).status, 200)
  const erasedMs = performance.now()
  const refused = new Set(['401 account_erased'])
  await until(async () => (await refusals(token)).isSubsetOf(refused), 5_000)
  console.log(`refused everywhere after ${Math.round(performance.now() - erasedMs)} ms`)
  const again = {
    line_items: [{ product_id: productId, quantity: 1 }],
    payment_method: 'pm_card_visa',
  }
  for (const key of ['k1', 'k4']) {
    assert.equal((await call(`${orders}/orders`, { body: again, token, key })).status, 401)
  }

  const read = async (id: string) =>
    (await call(`${orders}/orders/${id}`, { token: at.admin })).body
  assert.deepEqual((await read(delivered))['shipping_address'], address)
  for (const [id, verb] of [
    [delivered, 'fulfill'],
    [undone, 'cancel'],
  ] as const) {
    const ended = await call(`${orders}/orders/${id}/${verb}`, { method: 'POST', token: at.admin })
    assert.equal(ended.status, 200)
    const { shipping_address, payment_method, owner_id, total } = await read(id)
    assert.deepEqual([shipping_address, payment_method], [null, null])
    assert.deepEqual([owner_id, total], [ownerOf(token), { amount: 1_250, currency: 'USD' }])
  }
  const { body: list } = await call(`${payments}/payments`, { token: at.admin })
  const methods = (list['data'] as { payment_method: unknown }[]).map((each) => each.payment_method)
  assert.deepEqual(methods, [null, null, null])
  await checkBooks(at)
})

test('whoever reads users is known there, so that no erasure is dropped before all have read it', async () => {
  const { body } = await call(`${at.shop.urls.users}/events/subscribers`, { token: at.admin })
  const readers = (body['data'] as { name: string }[]).map(({ name }) => name)
  assert.deepEqual(readers, ['orders', 'payments', 'products'])
})
