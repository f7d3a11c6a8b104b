import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { anOrderBody, call, createTestShop, type TestShop } from './testing/shop.ts'

let shop: TestShop
before(async () => {
  shop = await createTestShop()
})
after(() => shop.close())

const countOrders = async () =>
  (await shop.database.db.query<{ count: number }>('select count(*) from orders'))[0]?.count

const line = (changes: Record<string, unknown>) => ({
  line_items: [{ product_id: 'prd_desk', quantity: 1, ...changes }],
})

test('bad input is a 400 problem that names the field, and nothing is written', async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ line_items: [] }, 'line_items'],
    [{ line_items: undefined }, 'line_items'],
    [{ line_items: 'desk' }, 'line_items'],
    [line({ quantity: 0 }), 'line_items.0.quantity'],
    [line({ quantity: -1 }), 'line_items.0.quantity'],
    [line({ quantity: 1.5 }), 'line_items.0.quantity'],
    [line({ quantity: 1e15 }), 'line_items.0.quantity'],
    [line({ quantity: '1' }), 'line_items.0.quantity'],
    [line({ product_id: 'prd desk' }), 'line_items.0.product_id'],
    [line({ product_id: 'a\0b' }), 'line_items.0.product_id'],
    [line({ unit_price: 1 }), 'line_items.0.unit_price'],
    [
      {
        line_items: [
          { product_id: 'prd_desk', quantity: 1 },
          { product_id: 'prd_desk', quantity: 1 },
        ],
      },
      'line_items.1.product_id',
    ],
    [
      {
        line_items: Array.from({ length: 101 }, (_, n) => ({ product_id: `p${n}`, quantity: 1 })),
      },
      'line_items',
    ],
    [{ id: 'x'.repeat(65) }, 'id'],
    [{ id: 7 }, 'id'],
    [{ payment_method: '4242424242424242' }, 'payment_method'],
    [{ payment_method: 'pm_\ud800' }, 'payment_method'],
    [{ expected_total: { amount: 1.5, currency: 'USD' } }, 'expected_total.amount'],
    [{ expected_total: { amount: 1, currency: 'XXQ' } }, 'expected_total.currency'],
    [{ shipping_address: { name: 'A' } }, 'shipping_address.line1'],
    [{ total: { amount: 1, currency: 'USD' } }, 'total'],
    [{ owner_id: 'usr_2' }, 'owner_id'],
    [{ status: 'confirmed' }, 'status'],
  ]
  for (const [changes, field] of cases) {
    const { status, body } = await call(shop, '/orders', { body: anOrderBody(changes) })
    assert.equal(status, 400, field)
    assert.equal(body['code'], 'invalid')
    const fields = (body['errors'] as { field: string }[]).map((error) => error.field)
    assert.ok(fields.includes(field), `${field} in ${fields.join()}`)
  }
  assert.equal(await countOrders(), 0)
})

test('what is not JSON, too large or of another type is refused before it is read', async () => {
  const send = (body: string, headers: Record<string, string> = {}) =>
    call(shop, '/orders', { body, headers })
  assert.equal((await send('{"line_items": [')).status, 400)
  assert.equal((await send('[]')).status, 400)
  assert.equal((await send(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)).status, 400)
  assert.equal((await send(JSON.stringify({ id: 'x'.repeat(300_000) }))).status, 413)
  assert.equal((await send('a=b', { 'content-type': 'text/plain' })).status, 415)
  const tenThousand = Array.from({ length: 10_000 }, (_, n) => ({
    product_id: `p${n}`,
    quantity: 1,
  }))
  assert.ok([400, 413].includes((await send(JSON.stringify({ line_items: tenThousand }))).status))
})

test('orders want a token of the shop, not expired and not changed', async () => {
  const bad = {
    none: '',
    'not a token': 'Bearer abc',
    'another scheme': 'Basic YWRtaW46YWRtaW4=',
    expired: await shop.issuer.user('usr_1', 'customer', { exp: 1 }),
    'for someone else': await shop.issuer.user('usr_1', 'customer', { aud: 'elsewhere' }),
    'of a service': await shop.issuer.service('users', 'orders', 'reserve'),
  }
  for (const [name, as] of Object.entries(bad)) {
    const { status, body } = await call(shop, '/orders', { body: anOrderBody(), as })
    assert.deepEqual([status, body['code']], [401, 'unauthenticated'], name)
  }
})

test("another customer's order is not there", async () => {
  const { body } = await call(shop, '/orders', { body: anOrderBody() })
  const path = `/orders/${String(body['id'])}`
  const as = await shop.issuer.user('usr_2')
  const read = await call(shop, path, { as })
  assert.deepEqual([read.status, read.body['error']], [404, 'Order not found'])
  assert.equal((await call(shop, `${path}/cancel`, { method: 'POST', as })).status, 404)
  assert.equal((await call(shop, `${path}/fulfill`, { method: 'POST', as })).status, 403)
  const admin = await shop.issuer.user('usr_admin', 'admin')
  assert.equal((await call(shop, path, { as: admin })).status, 200)
})

test('an unknown or impossible id is a 404', async () => {
  const as = await shop.issuer.user('usr_admin', 'admin')
  for (const id of ['ord_none', 'a%00b', 'x'.repeat(100), '%F0%9F%9B%92']) {
    for (const verb of ['', '/cancel', '/fulfill']) {
      const method = verb === '' ? 'GET' : 'POST'
      const { status, body } = await call(shop, `/orders/${id}${verb}`, { method, as })
      assert.deepEqual([status, body['error']], [404, 'Order not found'], id + verb)
    }
  }
})

test('a list has one’s own orders, newest first, page by page; an admin sees all', async () => {
  const as = await shop.issuer.user('usr_list')
  const placed: unknown[] = []
  for (let n = 0; n < 5; n += 1) {
    const { body } = await call(shop, '/orders', { body: anOrderBody(), as })
    placed.unshift(body['id'])
  }
  const seen: unknown[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${cursor}`
    const { body } = await call(shop, `/orders?limit=2${query}`, { as })
    seen.push(...(body['data'] as { id: string }[]).map(({ id }) => id))
    cursor = body['next_cursor'] as string | null
  } while (cursor !== null)
  assert.deepEqual(seen, placed)

  const idsOf = ({ body }: { body: Record<string, unknown> }) =>
    (body['data'] as { owner_id: string }[]).map(({ owner_id }) => owner_id)
  const admin = await shop.issuer.user('usr_admin', 'admin')
  assert.ok(new Set(idsOf(await call(shop, '/orders', { as: admin }))).size > 1)
  const filtered = await call(shop, '/orders?owner_id=usr_list&status=confirmed', { as: admin })
  assert.deepEqual(new Set(idsOf(filtered)), new Set(['usr_list']))
  assert.equal((await call(shop, '/orders?owner_id=usr_1', { as })).status, 403)
  assert.equal((await call(shop, '/orders?cursor=WyJ4Il0', { as })).status, 400)
  assert.equal((await call(shop, '/orders?limit=1000', { as })).status, 400)
  assert.equal((await call(shop, '/orders?status=lost', { as })).status, 400)
})

test('rule 13: when too many orders are open a new one is refused before it is written', async () => {
  const small = await createTestShop({ MAX_OPEN_ORDERS: '2' })
  try {
    small.down.add('payments.test')
    await Promise.all([1, 2].map(() => call(small, '/orders', { body: anOrderBody() })))
    const refused = await call(small, '/orders', { body: anOrderBody() })
    assert.equal(refused.status, 503)
    assert.ok(refused.headers.get('retry-after'))
    const [row] = await small.database.db.query<{ count: number }>('select count(*) from orders')
    assert.equal(row?.count, 2)
  } finally {
    await small.close()
  }
})

test('rule 13: above its limit the service sheds lists and placements at the door, and nothing that ends work', async () => {
  const gate = Promise.withResolvers<Response>()
  const app = shop.openIdle({
    fetch: async (url) =>
      url.startsWith('http://users.test') ? shop.issuer.fetch(new Request(url)) : gate.promise,
  })
  const as = await shop.issuer.user('usr_1')
  const headers = { authorization: as, 'content-type': 'application/json' }
  shop.products.prices['prd_many'] = { name: 'Many', amount: 500, stock: 10_000 }
  const lines = { line_items: [{ product_id: 'prd_many', quantity: 1 }] }
  const body = JSON.stringify(anOrderBody(lines))
  const order = () => new Request('http://orders.test/orders', { method: 'POST', headers, body })
  const underWay = Array.from({ length: 1_024 }, () => app.fetch(order()))
  const codeOf = async (method: string, path: string) => {
    const { status, body: problem } = await call(shop, path, { method, app, as: 'Bearer none' })
    return [status, problem['code']]
  }
  assert.deepEqual(await codeOf('POST', '/orders'), [503, 'overloaded'])
  assert.deepEqual(await codeOf('GET', '/orders?limit=5'), [503, 'overloaded'])
  assert.deepEqual(await codeOf('GET', '/orders/ord_1'), [401, 'unauthenticated'])
  assert.deepEqual(await codeOf('POST', '/orders/ord_1/cancel'), [401, 'unauthenticated'])
  assert.equal(
    (await shop.meanwhile(app.fetch(new Request('http://orders.test/health/live')))).status,
    200,
  )
  gate.resolve(new Response(null, { status: 503 }))
  // What was let in is kept: here, or by the replica that recovers.
  for (const { status } of await shop.meanwhile(Promise.all(underWay)))
    assert.ok(status === 201 || status === 202)
})

test('the service documents itself and shows its key', async () => {
  const openapi = await call(shop, '/openapi.json')
  assert.equal(openapi.body['openapi'], '3.1.0')
  assert.ok(Object.keys(openapi.body['paths'] as object).includes('/orders/{id}/cancel'))
  const keys = await call(shop, '/.well-known/jwks.json')
  const [key] = keys.body['keys'] as Record<string, unknown>[]
  assert.deepEqual([key?.['crv'], key?.['d']], ['Ed25519', undefined])
  assert.equal((await call(shop, '/health/ready')).status, 200)
})
