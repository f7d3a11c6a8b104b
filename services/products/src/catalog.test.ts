import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { whileAdvancing } from '@quartet/kit/testing'
import {
  aDesk,
  call,
  createProduct,
  createTestProducts,
  levelsOf,
  reserve,
  type TestProducts,
} from './testing/shop.ts'

let at: TestProducts
before(async () => {
  at = await createTestProducts()
})
after(() => at.close())

test('a product is created with its id and first stock, read by anyone, and archived', async () => {
  const created = await call(at, '/products', { body: aDesk({ id: 'desk-1', stock: 7 }) })
  assert.equal(created.status, 201)
  assert.equal(created.headers.get('location'), '/products/desk-1')
  assert.equal(created.body['available_quantity'], 7)
  const read = await call(at, '/products/desk-1', { as: null })
  assert.equal(read.status, 200)
  assert.deepEqual(read.body, created.body)
  const deleted = await call(at, '/products/desk-1', { method: 'DELETE' })
  assert.deepEqual([deleted.status, deleted.body['message']], [200, 'Product deleted'])
  const gone = await call(at, '/products/desk-1', { as: null })
  assert.deepEqual([gone.status, gone.body['error']], [404, 'Product not found'])
  assert.equal((await call(at, '/products/desk-1', { method: 'DELETE' })).status, 404)
  const seen = await call(at, '/products/desk-1')
  assert.deepEqual([seen.status, seen.body['status']], [200, 'archived'])
})

test('an id that is unknown or impossible is a 404', async () => {
  for (const id of ['prd_none', 'a%00b', 'x'.repeat(99)]) {
    for (const method of ['GET', 'DELETE']) {
      const { status, body } = await call(at, `/products/${id}`, { method })
      assert.deepEqual([status, body['error']], [404, 'Product not found'], `${method} ${id}`)
    }
    assert.equal((await call(at, `/products/${id}/stock`)).status, 404)
    assert.equal((await call(at, `/products/${id}/stock`, { body: { quantity: 1 } })).status, 404)
  }
})

test('writing is for admins', async () => {
  const id = await createProduct(at)
  for (const [as, expected] of [
    [at.customer, 403],
    [null, 401],
  ] as const) {
    assert.equal((await call(at, '/products', { body: aDesk(), as })).status, expected)
    const put = { method: 'PUT', body: { name: 'Mine' }, as }
    assert.equal((await call(at, `/products/${id}`, put)).status, expected)
    assert.equal((await call(at, `/products/${id}`, { method: 'DELETE', as })).status, expected)
    assert.equal((await call(at, `/products/${id}/stock`, { as })).status, expected)
    const adjust = { body: { quantity: 5 }, as }
    assert.equal((await call(at, `/products/${id}/stock`, adjust)).status, expected)
  }
})

test('bad input is a 400 problem that names the field, and nothing is written', async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ name: '' }, 'name'],
    [{ name: 'a\0b' }, 'name'],
    [{ name: '\ud800' }, 'name'],
    [{ category: undefined }, 'category'],
    [{ price: 499 }, 'price'],
    [{ price: { amount: 4.99, currency: 'USD' } }, 'price.amount'],
    [{ price: { amount: -1, currency: 'USD' } }, 'price.amount'],
    [{ price: { amount: 1e16, currency: 'USD' } }, 'price.amount'],
    [{ price: { amount: 1, currency: 'usd' } }, 'price.currency'],
    [{ stock: -1 }, 'stock'],
    [{ stock: 1.5 }, 'stock'],
    [{ status: 'archived' }, 'status'],
    [{ version: 7 }, 'version'],
  ]
  for (const [changes, field] of cases) {
    const { status, body } = await call(at, '/products', { body: aDesk({ id: 'bad', ...changes }) })
    const fields = (body['errors'] as { field: string }[] | undefined)?.map((error) => error.field)
    assert.deepEqual([status, [...new Set(fields)]], [400, [field]])
  }
  assert.equal((await call(at, '/products/bad')).status, 404)
})

test('an id is taken once; 20 copies of one keyed creation make one product and get one answer', async () => {
  const desk = aDesk({ id: 'desk-twice' })
  assert.equal((await call(at, '/products', { body: desk })).status, 201)
  const again = await call(at, '/products', { body: desk })
  assert.deepEqual([again.status, again.body['code']], [409, 'id_taken'])

  const copies = Array.from({ length: 20 }, () =>
    call(at, '/products', { body: aDesk({ name: 'Keyed' }), key: 'create-20' }),
  )
  // Those that come while the first is running wait on the clock.
  const answers = await whileAdvancing(at.clock, Promise.all(copies))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201])
  assert.equal(new Set(answers.map(({ body }) => body['id'])).size, 1)
  const id = String(answers[0]?.body['id'])
  assert.deepEqual(await levelsOf(at, id), { stocked: 10, reserved: 0 })
})

test('rule 17: a key whose replica died finds what it created before', async () => {
  const send = () => call(at, '/products', { body: aDesk({ name: 'Twice' }), key: 'died' })
  const first = await send()
  const adjust = (id: string) =>
    call(at, `/products/${id}/stock`, { body: { quantity: 5 }, key: 'died-too' })
  const id = String(first.body['id'])
  await adjust(id)
  // The effects were committed, the answers were not.
  await at.database.db.query('update idempotency_keys set answer = null')
  await at.clock.advance(60_000)
  const second = await send()
  assert.deepEqual([second.status, second.body['id']], [201, id])
  assert.equal((await adjust(id)).status, 201)
  assert.deepEqual(await levelsOf(at, id), { stocked: 15, reserved: 0 })
})

test('If-Match: only who has seen the current version may change it', async () => {
  const id = await createProduct(at)
  const etag = String((await call(at, `/products/${id}`)).headers.get('etag'))
  const put = (name: string, tag?: string) =>
    call(at, `/products/${id}`, {
      method: 'PUT',
      body: { name },
      headers: tag === undefined ? {} : { 'if-match': tag },
    })
  const changed = await put('First', etag)
  assert.deepEqual([changed.status, changed.body['name']], [200, 'First'])
  assert.notEqual(changed.headers.get('etag'), etag)
  assert.equal((await put('Second', etag)).status, 412)
  assert.equal((await put('Third')).status, 200)
  const stale = { method: 'DELETE', headers: { 'if-match': etag } }
  assert.equal((await call(at, `/products/${id}`, stale)).status, 412)
  const current = String((await call(at, `/products/${id}`)).headers.get('etag'))
  const fresh = { method: 'DELETE', headers: { 'if-match': `"0", ${current}` } }
  assert.equal((await call(at, `/products/${id}`, fresh)).status, 200)
})

test('ten writers at once: each change is written over the one before', async () => {
  const id = await createProduct(at)
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      call(at, `/products/${id}`, { method: 'PUT', body: { name: `Name ${n}` } }),
    ),
  )
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  assert.equal((await call(at, `/products/${id}`)).headers.get('etag'), '"11"')
})

test('stock is adjusted by movements, and never below what is reserved', async () => {
  const id = await createProduct(at, { stock: 5 })
  const more = await call(at, `/products/${id}/stock`, { body: { quantity: 3, note: 'Recount' } })
  assert.equal(more.status, 201)
  assert.equal(more.body['available_quantity'], 8)
  const short = await call(at, `/products/${id}/stock`, { body: { quantity: -9 } })
  assert.deepEqual([short.status, short.body['code']], [409, 'insufficient_stock'])
  const { body } = await call(at, `/products/${id}/stock?limit=1`)
  assert.deepEqual([body['stocked_quantity'], body['reserved_quantity']], [8, 0])
  const [latest] = body['data'] as Record<string, unknown>[]
  assert.deepEqual(
    [latest?.['kind'], latest?.['stocked_delta'], latest?.['note']],
    ['Adjustment', 3, 'Recount'],
  )
  const next = await call(at, `/products/${id}/stock?cursor=${String(body['next_cursor'])}`)
  assert.equal((next.body['data'] as unknown[]).length, 1)
  for (const quantity of [0, 1.5, 1e12]) {
    assert.equal((await call(at, `/products/${id}/stock`, { body: { quantity } })).status, 400)
  }
})

async function idsOf(query: string): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const page: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const { status, body } = await call(at, `/products?limit=2&${query}${page}`, { as: null })
    assert.equal(status, 200, JSON.stringify(body))
    ids.push(...(body['data'] as { id: string }[]).map(({ id }) => id))
    cursor = body['next_cursor'] as string | null
  } while (cursor !== null)
  return ids
}

test('the catalog is searched by words and beginnings, filtered, and sorted page by page', async () => {
  const lamps = [
    ['lamp-a', 'Brass lamp', 300],
    ['lamp-b', 'Paper lamp', 100],
    ['lamp-c', 'Floor lamp', 300],
    ['lamp-d', 'Arc lamp', 200],
    ['lamp-e', 'Table light', 50],
  ] as const
  for (const [id, name, amount] of lamps) {
    const description = id === 'lamp-e' ? 'A small lamp for reading.' : 'Warm light.'
    await createProduct(at, {
      id,
      name,
      description,
      category: 'Lighting',
      price: { amount, currency: 'USD' },
    })
  }
  await createProduct(at, { id: 'lamp-z', name: 'Old lamp', category: 'Lighting' })
  await call(at, '/products/lamp-z', { method: 'DELETE' })

  const all = ['lamp-a', 'lamp-b', 'lamp-c', 'lamp-d', 'lamp-e']
  assert.deepEqual(await idsOf('category=Lighting'), all.toReversed())
  assert.deepEqual(await idsOf('category=Lighting&sort=name'), [
    'lamp-d',
    'lamp-a',
    'lamp-c',
    'lamp-b',
    'lamp-e',
  ])
  assert.deepEqual(await idsOf('category=Lighting&sort=price'), [
    'lamp-e',
    'lamp-b',
    'lamp-d',
    'lamp-a',
    'lamp-c',
  ])
  assert.deepEqual(await idsOf('category=Lighting&sort=-price'), [
    'lamp-c',
    'lamp-a',
    'lamp-d',
    'lamp-b',
    'lamp-e',
  ])
  const found = await idsOf('q=lam')
  assert.deepEqual(found.toSorted(), all)
  assert.equal(found.at(-1), 'lamp-e', 'a word in the name weighs more than one in the description')
  assert.deepEqual(await idsOf('q=brass%20lamp'), ['lamp-a'])
  assert.deepEqual(await idsOf('q=%26%7C%21'), [])
  assert.deepEqual(await idsOf('q=zzz'), [])
  for (const bad of [
    'sort=best',
    'limit=0',
    'cursor=abc',
    'q=a%00b',
    'sort=price&cursor=WyJ4IiwieCJd',
  ]) {
    assert.equal((await call(at, `/products?${bad}`)).status, 400, bad)
  }
  const { body } = await call(at, '/categories', { as: null })
  const lighting = (body['data'] as { category: string; count: number }[]).find(
    (each) => each.category === 'Lighting',
  )
  assert.equal(lighting?.count, 5)
})

test('what is looked for is narrowed by price and by what is left, in any order and page by page', async () => {
  const chairs = [
    ['chair-a', 100, 1],
    ['chair-b', 200, 0],
    ['chair-c', 300, 5],
    ['chair-d', 300, 0],
    ['chair-e', 400, 2],
    ['chair-f', 500, 9],
  ] as const
  for (const [id, amount, stock] of chairs) {
    const price = { amount, currency: 'USD' }
    await createProduct(at, { id, name: `Chair ${id}`, category: 'Chairs', price, stock })
  }
  const reserved = { order_id: 'ord_chair', owner_id: 'usr_1' }
  await reserve(at, [{ ...reserved, lines: [{ product_id: 'chair-e', quantity: 2 }] }])
  const ids = async (query: string) =>
    (await idsOf(`category=Chairs&${query}`)).map((id) => id.slice(-1)).join('')
  assert.equal(await ids('sort=price&min_price=200'), 'bcdef')
  assert.equal(await ids('sort=price&max_price=300'), 'abcd')
  assert.equal(await ids('sort=-price&min_price=300&max_price=300'), 'dc')
  assert.equal(await ids('sort=price&min_price=0&max_price=0'), '')
  assert.equal(await ids('sort=name&in_stock=true'), 'acf')
  assert.equal(await ids('sort=name&in_stock=false'), 'abcdef')
  assert.equal(await ids('min_price=150&in_stock=true'), 'fc')
  assert.equal(await ids('q=chai&max_price=450&in_stock=true&sort=-price'), 'ca')
  assert.equal(new Set(await idsOf('q=chair&min_price=300&max_price=500')).size, 4)
  for (const [query, field] of [
    ['min_price=-1', 'min_price'],
    ['max_price=1.5', 'max_price'],
    ['min_price=cheap', 'min_price'],
    ['max_price=1e15', 'max_price'],
    ['min_price=', 'min_price'],
    ['min_price=300&max_price=299', 'max_price'],
    ['in_stock=yes', 'in_stock'],
  ]) {
    const { status, body } = await call(at, `/products?${query}`, { as: null })
    const [error] = body['errors'] as { field: string }[]
    assert.deepEqual([status, error?.field], [400, field], String(query))
  }
})

test('while somebody types, a letter finds names, not every description that has it somewhere', async () => {
  await createProduct(at, { id: 'typed-1', name: 'Xylo desk', description: 'For two.' })
  await createProduct(at, { id: 'typed-2', name: 'Desk', description: 'No xylo in its name.' })
  for (const typed of ['x', 'X', 'xy']) {
    assert.deepEqual(await idsOf(`q=${typed}`), ['typed-1'], typed)
  }
  assert.deepEqual(await idsOf('q=xyl'), ['typed-1', 'typed-2'])
  assert.deepEqual(await idsOf('q=XYLO%20de'), ['typed-1', 'typed-2'])
})

test('every change is an event', async () => {
  const id = await createProduct(at)
  await call(at, `/products/${id}`, { method: 'PUT', body: { name: 'New' } })
  await call(at, `/products/${id}`, { method: 'DELETE' })
  const types = await at.database.db.query<{ type: string }>(
    `select type from (select type, time, id from outbox where subject = $1
       union all select type, time, id from events where subject = $1) as said order by id`,
    [id],
  )
  assert.deepEqual(
    new Set(types.map(({ type }) => type)),
    new Set(['product.created.v1', 'product.updated.v1', 'product.archived.v1']),
  )
})
