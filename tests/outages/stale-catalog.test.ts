/** Proves on real processes that the catalog is shown from its last good copy, marked as old, while products is away, and that orders go on. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openNeighbour, type Neighbour } from '../e2e/neighbour.ts'
import { call, checkBooks, newProduct, openShop, until, type TestShop } from '../e2e/shop.ts'

let at: TestShop
let products: Neighbour
let api: string

before(async () => {
  products = await openNeighbour()
  const url = { PRODUCTS_URL: products.url }
  at = await openShop({ env: { gateway: url, orders: url } })
  products.lead(at.shop.urls.products)
  api = `${at.shop.urls.gateway}/api`
})
after(async () => {
  await products.close()
  await at.close()
})

const look = async (path: string, token?: string) => {
  const startedMs = performance.now()
  const { status, body, headers } = await call(
    `${api}${path}`,
    token === undefined ? {} : { token },
  )
  return { status, body, age: headers.get('age'), tookMs: performance.now() - startedMs }
}

for (const how of ['dead', 'slow'] as const) {
  test(`products ${how}: what was looked at is shown, marked as old, and soon; orders are accepted and completed; then all is fresh`, async () => {
    const id = await newProduct(at, `stale-${how}`, 100)
    const token = await at.newCustomer()
    const pages = [`/products/${id}`, '/products?limit=24', '/categories']
    for (const page of pages) assert.equal((await look(page, token)).age, null)
    await products.behave(how)
    for (let round = 0; round < 5; round += 1) {
      for (const page of pages) {
        const { status, body, age, tookMs } = await look(page)
        assert.equal(status, 200)
        assert.ok(age !== null && 'id' in body === page.includes(id), page)
        assert.ok(tookMs < 4_000, `${tookMs} ms`)
      }
    }
    // Where products is slow nobody is told before 30 s are over.
    if (how === 'dead') assert.equal((await look('/products/never-seen')).status, 503)
    const line_items = [{ product_id: id, quantity: 1 }]
    const body = { line_items, payment_method: 'pm_card_visa' }
    const placed = await call(`${api}/orders`, { body, token, key: `stale-${how}` })
    assert.equal(placed.status, 202)
    await products.behave('well')
    await until(async () => {
      const { body: order } = await look(`/orders/${String(placed.body['id'])}`, token)
      return order['status'] === 'confirmed'
    }, 60_000)
    await until(async () => (await look(`/products/${id}`)).age === null, 5_000)
    const { body: product } = await look(`/products/${id}`)
    await until(
      async () => (await look(`/products/${id}`)).body['available_quantity'] === 99,
      5_000,
    )
    assert.equal(product['id'], id)
    await checkBooks(at)
  })
}
