import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  call,
  callUntilDefinite,
  checkBooks,
  inParallel,
  newProduct,
  openShop,
  stockOf,
  until,
  type Order,
  type TestShop,
} from './shop.ts'

let at: TestShop
before(async () => {
  at = await openShop()
})
after(() => at.close())

const orderBody = (changes: Record<string, unknown>) => ({
  payment_method: 'pm_card_visa',
  ...changes,
})
const linesOf = (...ids: string[]) => ids.map((product_id) => ({ product_id, quantity: 1 }))

test('a customer registers, logs in and buys over the one public origin', async () => {
  const { gateway } = at.shop.urls
  const account = { email: 'ada@example.com', password: 'a-long-secret', name: 'Ada' }
  const registered = await call(`${gateway}/api/users`, { body: account })
  assert.equal(registered.status, 201)
  const session = await call(`${gateway}/api/sessions`, { body: account })
  assert.equal(session.status, 400, 'unknown fields are refused')
  const { email, password } = account
  const { body: tokens } = await call(`${gateway}/api/sessions`, { body: { email, password } })
  const token = String(tokens['access_token'])
  const list = await call(`${gateway}/api/products?q=desk`)
  const [found] = list.body['data'] as { id: string; price: object }[]
  const body = orderBody({ line_items: linesOf(String(found?.id)), expected_total: found?.price })
  const placed = await call(`${gateway}/api/orders`, { body, token, key: 'first' })
  assert.deepEqual([placed.status, placed.body['status']], [201, 'confirmed'])
  assert.equal(placed.headers.get('location'), `/api/orders/${String(placed.body['id'])}`)
  const again = await call(`${gateway}/api/orders`, { body, token, key: 'first' })
  assert.equal(again.body['id'], placed.body['id'])
  const cancel = `${gateway}/api/orders/${String(placed.body['id'])}/cancel`
  const canceled = await call(cancel, { method: 'POST', token })
  assert.deepEqual([canceled.status, canceled.body['payment_status']], [200, 'refunded'])
  await checkBooks(at)
})

test('who has no account buys in a browser as a guest, and keeps the orders once it is claimed', async () => {
  const { gateway } = at.shop.urls
  const headers = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }
  const browse = (path: string, cookie: string, body?: unknown) =>
    fetch(gateway + path, {
      headers: { ...headers, cookie },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    })
  const guest = { email: 'guest@example.com', name: 'Grace Guest' }
  const come = await browse('/browser/guest', '', guest)
  const cookie = come.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ')
  const { user } = (await come.json()) as { user: { id: string; guest: boolean } }
  assert.deepEqual([come.status, user.guest], [200, true])
  const body = orderBody({ line_items: linesOf('prd_cork-stool') })
  const placed = (await (await browse('/api/orders', cookie, body)).json()) as Order
  assert.equal(placed.status, 'confirmed')
  const password = 'a-long-secret'
  const claimed = await browse(`/api/users/${user.id}/claim`, cookie, { password })
  assert.equal(claimed.status, 200, await claimed.text())
  const now = await (await browse('/browser/session', cookie)).json()
  assert.equal((now as { user: { guest: boolean } }).user.guest, false)
  const { body: tokens } = await call(`${gateway}/api/sessions`, {
    body: { email: guest.email, password },
  })
  const orders = await call(`${gateway}/api/orders`, { token: String(tokens['access_token']) })
  assert.deepEqual(
    (orders.body['data'] as Order[]).map(({ id }) => id),
    [placed.id],
  )
  await checkBooks(at)
})

test('commands are for services: neither through the gateway nor with a customer’s token', async () => {
  const { gateway, products, payments } = at.shop.urls
  const token = await at.newCustomer()
  const body = { items: [{}] }
  for (const path of [
    '/commands/reserve',
    '/api/commands/reserve',
    '/api/products/../commands/reserve',
  ]) {
    assert.equal((await call(gateway + path, { body, token })).status, 404, path)
  }
  assert.equal((await call(`${products}/commands/reserve`, { body, token })).status, 403)
  assert.equal((await call(`${payments}/commands/pay`, { body, token })).status, 403)
})

test('the plainest client works, with the admin’s token and ids of its own', async () => {
  const { users, products, orders, payments } = at.shop.urls
  const token = at.admin
  const send = (url: string, body?: unknown, method?: string) =>
    call(url, {
      token,
      ...(body === undefined ? {} : { body }),
      ...(method === undefined ? {} : { method }),
    })
  const expect = async (
    answer: Promise<{ status: number; body: Record<string, unknown> }>,
    status: number,
    fields: Record<string, unknown>,
  ) => {
    const { status: actual, body } = await answer
    assert.equal(actual, status, JSON.stringify(body))
    for (const [name, value] of Object.entries(fields)) assert.deepEqual(body[name], value, name)
  }
  await expect(
    send(`${users}/users`, { id: 'user-1', email: 'one@example.com', name: 'One' }),
    201,
    { id: 'user-1' },
  )
  await expect(send(`${users}/users/user-1`), 200, { email: 'one@example.com', role: 'customer' })
  await expect(send(`${users}/users/user-1`, { name: 'Two' }, 'PUT'), 200, { name: 'Two' })
  await expect(send(`${users}/users/nobody`), 404, { error: 'User not found' })
  await expect(send(`${users}/users/nobody`, { name: 'X' }, 'PUT'), 404, {
    error: 'User not found',
  })

  const price = { amount: 999, currency: 'USD' }
  const product = {
    id: 'product-1',
    name: 'Mug',
    description: 'Holds tea.',
    category: 'Tests',
    price,
    stock: 5,
  }
  await expect(send(`${products}/products`, product), 201, {
    id: 'product-1',
    available_quantity: 5,
  })
  await expect(send(`${products}/products/product-1`), 200, { name: 'Mug', price })
  await expect(send(`${products}/products/nothing`), 404, { error: 'Product not found' })

  const order = orderBody({ id: 'order-1', line_items: linesOf('product-1') })
  await expect(send(`${orders}/orders`, order), 201, {
    id: 'order-1',
    status: 'confirmed',
    total: price,
    payment_status: 'succeeded',
  })
  await expect(send(`${orders}/orders/order-1`), 200, { id: 'order-1' })
  await expect(send(`${orders}/orders/nothing`), 404, { error: 'Order not found' })
  const list = await send(`${orders}/orders`)
  assert.ok((list.body['data'] as Order[]).some(({ id }) => id === 'order-1'))

  const payment = {
    id: 'payment-1',
    amount: price,
    payment_method: 'pm_card_visa',
    capture_method: 'manual',
  }
  await expect(send(`${payments}/payments`, payment), 201, {
    id: 'payment-1',
    status: 'requires_capture',
  })
  await expect(send(`${payments}/payments/payment-1`), 200, { amount: price })
  await expect(send(`${payments}/payments/payment-1`, { status: 'succeeded' }, 'PUT'), 200, {
    status: 'succeeded',
  })
  await expect(send(`${payments}/payments/payment-1`, { status: 'processing' }, 'PUT'), 409, {
    code: 'invalid_transition',
  })
  await expect(send(`${payments}/payments/nothing`), 404, { error: 'Payment not found' })
  await expect(send(`${payments}/payments/nothing`, { status: 'canceled' }, 'PUT'), 404, {
    error: 'Payment not found',
  })

  await expect(send(`${products}/products/product-1`, undefined, 'DELETE'), 200, {
    message: 'Product deleted',
  })
  await expect(send(`${products}/products/product-1`, undefined, 'DELETE'), 404, {
    error: 'Product not found',
  })
})

test('100 units, 500 buyers at once over 64 connections: exactly 100 are confirmed', async () => {
  const id = await newProduct(at, 'flash-sale', 100)
  const buyers = await Promise.all(Array.from({ length: 5 }, () => at.newCustomer()))
  const answers = await inParallel(500, 64, (n) => {
    const token = String(buyers[n % buyers.length])
    const body = orderBody({ line_items: linesOf(id) })
    return callUntilDefinite(`${at.shop.urls.orders}/orders`, { body, token, key: `flash-${n}` })
  })
  const confirmed = answers.filter(({ status }) => status === 201)
  const refused = answers.filter(({ status }) => status === 409)
  assert.deepEqual([confirmed.length, refused.length], [100, 400])
  assert.deepEqual(
    new Set(refused.map(({ body }) => body['code'])),
    new Set(['insufficient_stock']),
  )
  assert.equal((await stockOf(at, id)).body['available_quantity'], 0)
  await checkBooks(at)
})

test('two products bought in opposite orders by many at once: every order is confirmed', async () => {
  const ids = [await newProduct(at, 'left', 200), await newProduct(at, 'right', 200)]
  const token = await at.newCustomer()
  const answers = await inParallel(100, 32, (n) => {
    const line_items = linesOf(...(n % 2 === 0 ? ids : ids.toReversed()))
    const key = `opposite-${n}`
    const body = orderBody({ line_items })
    return callUntilDefinite(`${at.shop.urls.orders}/orders`, { body, token, key })
  })
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]))
  for (const id of ids) {
    await until(async () => (await stockOf(at, id)).body['stocked_quantity'] === 100, 10_000)
    assert.equal((await stockOf(at, id)).body['reserved_quantity'], 0)
  }
})

test('payments killed by -9 in the middle of a load: every order ends right', async () => {
  const id = await newProduct(at, 'while-killed', 1_000)
  const token = await at.newCustomer()
  const methods = ['pm_card_visa', 'pm_card_visa', 'pm_card_chargeDeclined', 'pm_card_lostAnswer']
  const place = (n: number) => {
    const payment_method = String(methods[n % methods.length])
    const body = orderBody({ line_items: linesOf(id), payment_method })
    return call(`${at.shop.urls.orders}/orders`, { body, token, key: `killed-${n}` })
  }
  let placed = 0
  const answers = await inParallel(240, 16, async (n) => {
    if (n === 60 || n === 150) at.shop.kill('payments', 'SIGKILL')
    const answer = await place(n)
    placed += 1
    return answer
  })
  assert.equal(placed, 240)
  const told = new Set(answers.map(({ status }) => status))
  assert.ok(
    [...told].every((status) => [201, 202, 402, 503].includes(status)),
    [...told].join(),
  )
  const read = async (n: number) => place(n) // the same key again: its answer by now
  await until(async () => {
    const pending = await inParallel(240, 16, read)
    return pending.every(({ status }) => status === 201 || status === 402)
  }, 60_000)
  const ends = await inParallel(240, 16, read)
  for (const [n, { status }] of ends.entries()) {
    assert.equal(status, methods[n % methods.length] === 'pm_card_chargeDeclined' ? 402 : 201)
  }
  const orders = await checkBooks(at)
  assert.equal(orders.filter(({ line_items }) => line_items[0]?.product_id === id).length, 240)
})

test('products frozen: orders are taken; it is ended, started again, and they are completed', async () => {
  const id = await newProduct(at, 'while-down', 10)
  const token = await at.newCustomer()
  const pid = at.shop.processes.get('products')?.pid()
  at.shop.kill('products', 'SIGSTOP')
  const body = orderBody({ line_items: linesOf(id) })
  const accepted = await call(`${at.shop.urls.orders}/orders`, { body, token })
  assert.ok([201, 202].includes(accepted.status), `${accepted.status}`)
  const url = `${at.shop.urls.orders}/orders/${String(accepted.body['id'])}`
  await until(async () => (await call(url, { token })).body['status'] === 'confirmed', 30_000)
  assert.notEqual(at.shop.processes.get('products')?.pid(), pid)
  await checkBooks(at)
})
