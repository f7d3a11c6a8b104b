/** Owns the proof that demo data is loaded once, whatever interrupts it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { catalog } from './catalog.ts'
import { isSeeded, seed } from './seed.ts'

const credentials = {
  admin: { email: 'admin@shop.example', password: 'a' },
  customer: { email: 'customer@shop.example', password: 'c' },
}

test('the customer and the whole catalog are put in, with the admin’s token', async (t) => {
  const shop = await fakeShop(t, () => 201)
  await seed(shop.options)
  const products = shop.taken.filter(({ path }) => path === '/products')
  assert.equal(new Set(products.map(({ id }) => id)).size, catalog().length)
  assert.ok(products.every(({ authorization }) => authorization === 'Bearer of-admin@shop.example'))
  assert.ok(
    shop.taken.some(({ path, email }) => path === '/users' && email === credentials.customer.email),
  )
  assert.equal(isSeeded(shop.options.dataDir), true)
})

test('what is there already is left as it is', async (t) => {
  const shop = await fakeShop(t, (path) => (path === '/sessions' ? 201 : 409))
  await seed(shop.options)
  assert.equal(isSeeded(shop.options.dataDir), true)
})

test('a service that is not ready yet is asked again', async (t) => {
  let refusals = 2
  const shop = await fakeShop(t, () => (refusals-- > 0 ? 503 : 201))
  await seed(shop.options)
  assert.equal(isSeeded(shop.options.dataDir), true)
})

test('a refusal ends it, and the next start tries again', async (t) => {
  const shop = await fakeShop(t, (path) => (path === '/products' ? 400 : 201))
  await assert.rejects(seed(shop.options), /POST .*\/products answered 400/)
  assert.equal(isSeeded(shop.options.dataDir), false)
})

type Taken = {
  path: string
  authorization: string | undefined
  id: string | undefined
  email: string | undefined
}

async function fakeShop(t: TestContext, statusOf: (path: string) => number) {
  const dataDir = mkdtempSync(join(tmpdir(), 'quartet-seed-'))
  const taken: Taken[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(request)
    const path = request.url ?? ''
    const { authorization } = request.headers
    taken.push({ path, authorization, id: body['id'], email: body['email'] })
    response.writeHead(statusOf(path), { 'content-type': 'application/json' })
    response.end(JSON.stringify({ access_token: `of-${body['email']}` }))
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done)
  })
  t.after(() => {
    server.closeAllConnections()
    server.close()
    rmSync(dataDir, { recursive: true })
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { taken, options: { urls: { users: url, products: url }, credentials, dataDir } }
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, string | undefined>> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return JSON.parse(text) as Record<string, string | undefined>
}
