import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { call, checkBooks, newProduct, openShop, type TestShop } from './shop.ts'

let at: TestShop
let customer = ''
before(async () => {
  at = await openShop()
  customer = await at.newCustomer()
  await newProduct(at, 'good', 1_000)
})
after(() => at.close())

type Raw = { status: number; type: string; body: Record<string, unknown> }

/** A request with exactly these bytes, over a real socket. */
function send(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer },
): Promise<Raw> {
  const { method = 'POST', headers = {}, body } = options
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        const text = Buffer.concat(parts).toString()
        const parsed = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
        const type = String(response.headers['content-type'])
        resolve({ status: response.statusCode ?? 0, type, body: parsed })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const json = (token: string, more: Record<string, string> = {}) => ({
  'content-type': 'application/json',
  authorization: `Bearer ${token}`,
  ...more,
})

/** Fails unless it is a 4xx problem that says what is wrong. */
function assertProblem({ status, type, body }: Raw, what: string): void {
  assert.ok(status >= 400 && status < 500, `${what}: ${status}`)
  assert.match(type, /^application\/problem\+json/, what)
  assert.ok(typeof body['code'] === 'string' && typeof body['error'] === 'string', what)
}

const routes = () => {
  const { users, products, orders, payments } = at.shop.urls
  const money = { amount: 100, currency: 'USD' }
  return [
    {
      url: `${users}/users`,
      token: at.admin,
      good: { email: 'x@example.com', password: 'long-enough', name: 'X' },
    },
    {
      url: `${users}/sessions`,
      token: at.admin,
      good: { email: 'x@example.com', password: 'long-enough' },
    },
    { url: `${users}/sessions/refresh`, token: at.admin, good: { refresh_token: 'x'.repeat(43) } },
    {
      url: `${products}/products`,
      token: at.admin,
      good: { name: 'X', description: 'Y', category: 'Z', price: money, stock: 1 },
    },
    { url: `${products}/products/good/stock`, token: at.admin, good: { quantity: 1 } },
    {
      url: `${orders}/orders`,
      token: customer,
      good: { line_items: [{ product_id: 'good', quantity: 1 }], payment_method: 'pm_card_visa' },
    },
    {
      url: `${payments}/payments`,
      token: customer,
      good: { amount: money, payment_method: 'pm_card_visa' },
    },
  ]
}

test('what is no JSON, no object, too large, too deep or of another type is refused by every route', async () => {
  const bodies: [string, string][] = [
    ['half an object', '{"a": '],
    ['no JSON', 'a=b&c=d'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a number', '1e308'],
    ['nothing', ''],
    ['deep arrays', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['deep objects', `${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`],
    ['a prototype', '{"__proto__": {"role": "admin"}}'],
    ['a constructor', '{"constructor": {"prototype": {}}}'],
    ['too many bytes', JSON.stringify({ a: 'x'.repeat(300_000) })],
  ]
  for (const { url, token } of routes()) {
    for (const [what, body] of bodies) {
      assertProblem(await send(url, { headers: json(token), body }), `${url}, ${what}`)
      const chunked = { headers: json(token, { 'transfer-encoding': 'chunked' }), body }
      assertProblem(await send(url, chunked), `${url}, ${what}, chunked`)
    }
    const typed = { headers: json(token, { 'content-type': 'text/plain' }), body: '{}' }
    assertProblem(await send(url, typed), `${url}, as text`)
  }
})

const strange = [null, true, -1, 0.5, 1e308, '', 'a\0b', '\ud800', [], {}, 'x'.repeat(20_000)]

test('every field of every route refuses what it is not, and says its name', async () => {
  for (const { url, token, good } of routes()) {
    for (const field of Object.keys(good)) {
      for (const value of strange) {
        // PostgreSQL can hold an empty description, and a stock may be stocktaken down.
        if (field === 'description' && value === '') continue
        if (url.endsWith('/stock') && value === -1) continue
        const body = JSON.stringify({ ...good, [field]: value })
        const answer = await send(url, { headers: json(token), body })
        const what = `${url}: ${field} = ${JSON.stringify(value).slice(0, 40)}`
        // What a log-in says of a wrong password or a token is no field's business.
        if (answer.status === 401 || answer.status === 429) continue
        assertProblem(answer, what)
        if (answer.status === 413) continue
        const named = (answer.body['errors'] as { field: string }[] | undefined) ?? []
        assert.ok(
          named.some((error) => error.field.split('.')[0] === field),
          `${what}: named`,
        )
      }
    }
    const unknown = JSON.stringify({ ...good, role: 'admin', owner_id: 'usr_1', status: 'x' })
    assertProblem(
      await send(url, { headers: json(token), body: unknown }),
      `${url}: unknown fields`,
    )
  }
})

test('tokens that are absent, wrong, unsigned, expired or somebody’s key open nothing', async () => {
  const [header = '', payload = '', signature = ''] = at.admin.split('.')
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  const tokens = {
    empty: '',
    nonsense: 'abc',
    unsigned: `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
    'signed with a secret': `${encode({ alg: 'HS256', typ: 'at+jwt' })}.${payload}.${signature}`,
    'of another key': `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid: 'none' })}.${payload}.${signature}`,
    'with its own key': `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid: '../x', jku: 'http://127.0.0.1:1' })}.${payload}.${signature}`,
    changed: `${header}.${encode({ ...claims, role: 'admin', sub: 'usr_other' })}.${signature}`,
    endless: `${header}.${payload}.${'a'.repeat(5_000)}`,
  }
  for (const { url, good } of routes()) {
    if (/users$|sessions/.test(url)) continue // anyone may
    for (const [what, token] of Object.entries(tokens)) {
      const answer = await send(url, { headers: json(token), body: JSON.stringify(good) })
      assertProblem(answer, `${url}, ${what}`)
      assert.equal(answer.status, 401, `${url}, ${what}`)
    }
  }
})

test('odd paths, queries, methods and keys are refused, not failed', async () => {
  const { users, products, orders, payments, gateway } = at.shop.urls
  const cases: [string, string][] = [
    ['GET', `${products}/products?limit=-1`],
    ['GET', `${products}/products?limit=1e9`],
    ['GET', `${products}/products?cursor=%00`],
    ['GET', `${products}/products?cursor=${Buffer.from('[1e400,"x"]').toString('base64url')}`],
    ['GET', `${products}/products?q=%00`],
    ['GET', `${products}/products?sort=price%27--`],
    ['GET', `${products}/products/%00`],
    ['GET', `${products}/products/..%2f..%2fetc%2fpasswd`],
    ['GET', `${orders}/orders/%F0%9F%9B%92`],
    ['GET', `${orders}/orders?status=paid`],
    ['GET', `${orders}/orders?cursor=${'x'.repeat(600)}`],
    ['GET', `${payments}/payments/${'x'.repeat(200)}`],
    ['GET', `${payments}/payments?order_id=a%20b`],
    ['GET', `${users}/users?cursor=1`],
    ['GET', `${users}/users/%ff`],
    ['PATCH', `${orders}/orders`],
    ['DELETE', `${orders}/orders/x`],
    ['PUT', `${orders}/orders`],
    ['OPTIONS', `${orders}/orders`],
    ['GET', `${orders}/nothing/here`],
    ['GET', `${gateway}/api`],
    ['GET', `${gateway}/api/../commands/pay`],
    ['POST', `${gateway}/commands/pay`],
    ['GET', `${gateway}/api/orders/%00`],
  ]
  for (const [method, url] of cases) {
    const answer = await send(url, { method, headers: { authorization: `Bearer ${at.admin}` } })
    assertProblem(answer, `${method} ${url}`)
  }
  for (const key of ['', 'a b', 'x'.repeat(256), 'ü']) {
    const headers = json(customer, { 'idempotency-key': Buffer.from(key).toString('latin1') })
    assertProblem(await send(`${orders}/orders`, { headers, body: '{}' }), `key ${key.slice(0, 9)}`)
  }
})

test('orders that nobody can mean are refused, and a customer’s things are nobody else’s', async () => {
  const { orders, payments } = at.shop.urls
  const place = (body: object, token = customer) => call(`${orders}/orders`, { body, token })
  const line = { product_id: 'good', quantity: 1 }
  const bodies = [
    { line_items: [] },
    { line_items: [line, line] },
    {
      line_items: Array.from({ length: 10_000 }, (_, n) => ({ product_id: `p${n}`, quantity: 1 })),
    },
    { line_items: [{ ...line, quantity: 0 }] },
    { line_items: [{ ...line, quantity: -5 }] },
    { line_items: [{ ...line, quantity: 0.1 }] },
    { line_items: [{ ...line, quantity: 2 ** 53 }] },
    { line_items: [{ ...line, price: 1 }] },
    { line_items: [line], total: { amount: 1, currency: 'USD' } },
    { line_items: [line], expected_total: { amount: 1, currency: 'BTC2' } },
  ]
  for (const body of bodies) {
    const { status, body: problem } = await place({ ...body, payment_method: 'pm_card_visa' })
    assert.ok([400, 413].includes(status), JSON.stringify(body).slice(0, 80))
    assert.ok(typeof problem['error'] === 'string')
  }
  const stranger = await at.newCustomer()
  const mine = await place({ line_items: [line], payment_method: 'pm_card_visa' })
  const id = String(mine.body['id'])
  assert.equal((await call(`${orders}/orders/${id}`, { token: stranger })).status, 404)
  const cancel = { method: 'POST', token: stranger }
  assert.equal((await call(`${orders}/orders/${id}/cancel`, cancel)).status, 404)
  const paymentId = String(mine.body['payment_id'])
  assert.equal((await call(`${payments}/payments/${paymentId}`, { token: stranger })).status, 404)
  // An order id is squatted neither by a payment nor by another's order.
  const amount = { amount: 1_250, currency: 'USD' }
  const squat = { amount, payment_method: 'pm_card_visa', order_id: 'wanted' }
  assert.equal((await call(`${payments}/payments`, { body: squat, token: stranger })).status, 404)
  const wanted = await place({ id: 'wanted', line_items: [line], payment_method: 'pm_card_visa' })
  assert.equal(wanted.status, 201)
  const taken = await place(
    { id: 'wanted', line_items: [line], payment_method: 'pm_card_visa' },
    stranger,
  )
  assert.deepEqual([taken.status, taken.body['code']], [409, 'id_taken'])
})

test('good orders among bad ones are confirmed, and the books agree', async () => {
  const { orders } = at.shop.urls
  const good = { line_items: [{ product_id: 'good', quantity: 1 }], payment_method: 'pm_card_visa' }
  const bad = [
    { ...good, line_items: [{ product_id: 'none', quantity: 1 }] },
    { ...good, line_items: [{ product_id: 'good', quantity: 1_000_000 }] },
    { ...good, payment_method: 'pm_nonsense' },
    { ...good, expected_total: { amount: 1, currency: 'USD' } },
    { ...good, id: 'bad id' },
  ]
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, n) => {
      const body = n % 2 === 0 ? good : bad[n % bad.length]
      return call(`${orders}/orders`, { body, token: customer })
    }),
  )
  for (const [n, { status }] of answers.entries()) {
    if (n % 2 === 0) assert.equal(status, 201)
    else assert.ok([400, 402, 409].includes(status), String(status))
  }
  await checkBooks(at)
})
