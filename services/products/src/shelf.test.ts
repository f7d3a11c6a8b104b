/** Proves that answers are kept for a moment, and never past a change that this replica has made. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  call,
  createProduct,
  createTestProducts,
  release,
  reserve,
  type TestProducts,
} from './testing/shop.ts'

let at: TestProducts
before(async () => {
  at = await createTestProducts()
})
after(() => at.close())

const read = async (id: string, app = at.app) => {
  const { status, body } = await call(at, `/products/${id}`, { as: null, app })
  return status === 200 ? (body as { name: string; available_quantity: number }) : status
}
const available = async (id: string, app = at.app) => {
  const product = await read(id, app)
  return typeof product === 'number' ? product : product.available_quantity
}

test('what this replica has changed is read at once: stock, reservations, undos, edits, the end', async () => {
  const id = await createProduct(at, { stock: 10 })
  assert.equal(await available(id), 10)
  await call(at, `/products/${id}/stock`, { body: { quantity: 5 } })
  assert.equal(await available(id), 15)
  const item = {
    order_id: 'ord_shelf',
    owner_id: 'usr_1',
    lines: [{ product_id: id, quantity: 4 }],
  }
  await reserve(at, [item])
  assert.equal(await available(id), 11)
  await release(at, [item])
  assert.equal(await available(id), 15)
  await call(at, `/products/${id}`, { method: 'PUT', body: { name: 'Oak desk' } })
  const edited = await read(id)
  assert.equal(typeof edited === 'number' ? edited : edited.name, 'Oak desk')
  await call(at, `/products/${id}`, { method: 'DELETE' })
  assert.equal(await read(id), 404)
})

test('what another replica has changed is read within a second', async () => {
  const other = await at.open()
  const id = await createProduct(at, { stock: 10 })
  assert.equal(await available(id, other), 10)
  await call(at, `/products/${id}/stock`, { body: { quantity: 5 } })
  await at.clock.advance(1_000)
  assert.equal(await available(id, other), 15)
})

test('an answer from the shelf is the answer that the database gave: body, headers, counted alike', async () => {
  const id = await createProduct(at)
  const [first, second] = [await at.app.fetch(get(id)), await at.app.fetch(get(id))]
  assert.deepEqual(await second.json(), await first.json())
  for (const name of ['content-type', 'etag']) {
    assert.equal(second.headers.get(name), first.headers.get(name))
  }
  const metrics = await (await at.app.fetch(new Request('http://products.test/metrics'))).text()
  const counted = metrics
    .split('\n')
    .filter((line) => /_count\{.*route="\/products\/:id",status="200"/.test(line))
  assert.equal(counted.length, 1, counted.join())
})

const get = (id: string) => new Request(`http://products.test/products/${id}`)
