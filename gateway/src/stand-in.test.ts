/** Proves that what a service lets be shown while it does not answer is shown then, marked as old, and nothing else. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { advanceUntil } from '@quartet/kit/testing'
import { config, openGateway, type Handler } from './gateway.fixture.ts'

const FOR_EVERYBODY = 'public, max-age=0, stale-if-error=3600'

/** A service of which the test says what it answers just now. */
function openShop(changes: Partial<typeof config> = {}) {
  let handler: Handler = (request) => good(request.url)
  let asked = 0
  const gateway = openGateway(
    {
      products(request) {
        asked += 1
        return handler(request)
      },
    },
    { config: { ...config, ...changes } },
  )
  return {
    ...gateway,
    asked: () => asked,
    answer: (next: Handler) => (handler = next),
    /** While time passes, as it does for who waits. */
    wait: (path: string, init: RequestInit = {}) =>
      advanceUntil(gateway.clock, gateway.ask(path, init)),
  }
}

function good(text: string, headers: Record<string, string> = {}, status = 200): Response {
  return new Response(text, {
    status,
    headers: {
      'cache-control': FOR_EVERYBODY,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      etag: '"1"',
      ...headers,
    },
  })
}

const refused: Handler = () =>
  Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }))
const silent: Handler = () => new Promise(() => {})
const failing: Handler = () => Response.json({ title: 'Too much' }, { status: 503 })

for (const [how, handler] of Object.entries({ refused, silent, failing })) {
  test(`a service that is ${how}: the last good copy is shown, with its age, and by nobody kept`, async () => {
    const { ask, answer, wait, clock } = openShop()
    const fresh = await ask('/api/products?limit=2')
    assert.equal(fresh.headers.get('age'), null)
    const text = await fresh.text()
    answer(handler)
    await clock.advance(5_000)
    const stale = await wait('/api/products?limit=2')
    assert.equal(stale.status, 200)
    assert.equal(await stale.text(), text)
    const said = ['age', 'cache-control', 'content-type', 'etag'].map((name) =>
      stale.headers.get(name),
    )
    const age = Number(said[0])
    assert.ok(age >= 5 && age <= 8, `${age} s`)
    assert.deepEqual(said.slice(1), ['no-store', 'application/json', '"1"'])
    assert.equal(
      stale.headers.get('cache-status'),
      `quartet-gateway; hit; ttl=-${age}; detail=stale-if-error`,
    )
    answer((request) => good(`${request.url} new`))
    await clock.advance(1_000)
    const again = await ask('/api/products?limit=2')
    assert.equal(again.headers.get('age'), null)
    assert.match(await again.text(), / new$/)
  })
}

test('while it does not answer it is asked once a second, by one; the others have the copy at once', async () => {
  const { ask, answer, asked, wait, clock } = openShop()
  await ask('/api/products/prd_1')
  answer(silent)
  await wait('/api/products/prd_1')
  const before = asked()
  await Promise.all(Array.from({ length: 50 }, () => ask('/api/products/prd_1')))
  assert.equal(asked(), before)
  await clock.advance(1_000)
  const probe = ask('/api/products/prd_1')
  const others = await Promise.all(Array.from({ length: 50 }, () => ask('/api/products/prd_1')))
  assert.ok(others.every(({ headers }) => headers.has('age')))
  assert.equal(asked(), before + 1)
  await advanceUntil(clock, probe)
})

test('what was never asked for, is not let be shown, or is a change, gets the error', async () => {
  const { ask, answer, wait } = openShop()
  answer(() => good('{}', { 'cache-control': 'private, stale-if-error=3600' }))
  await ask('/api/products/private')
  answer(() => good('{}', { 'cache-control': 'public, max-age=0' }))
  await ask('/api/products/strict')
  answer(() => good('{}', { 'set-cookie': 'a=b' }))
  await ask('/api/products/cookie')
  answer(() => good('{}', { 'content-length': String(65 * 1024) }))
  await ask('/api/products/large')
  answer(() => good('{}'))
  await ask('/api/products', { method: 'POST', body: '{}' })
  answer(refused)
  for (const step of ['private', 'strict', 'cookie', 'large', 'unknown']) {
    assert.equal((await wait(`/api/products/${step}`)).status, 503, step)
  }
  const post = { method: 'POST', body: '{}' }
  assert.equal((await wait('/api/products', post)).status, 503)
})

test('what is gone, or only for some by now, is not shown any more; what is unchanged is as good as new', async () => {
  const { ask, answer, wait, clock } = openShop()
  for (const step of ['gone', 'hidden', 'same']) await ask(`/api/products/${step}`)
  await clock.advance(10_000)
  answer(() => Response.json({ title: 'Not found' }, { status: 404 }))
  await ask('/api/products/gone')
  answer(() => Response.json({ status: 'archived' }))
  await ask('/api/products/hidden', { headers: { authorization: 'Bearer admin' } })
  answer(() => new Response(null, { status: 304, headers: { etag: '"1"' } }))
  await ask('/api/products/same', { headers: { 'if-none-match': '"1"' } })
  answer(refused)
  assert.equal((await wait('/api/products/gone')).status, 503)
  assert.equal((await wait('/api/products/hidden')).status, 503)
  const same = await wait('/api/products/same')
  assert.equal(same.status, 200)
  assert.ok(Number(same.headers.get('age')) < 10)
})

test('a copy is shown for as long as the service said, and HEAD gets its head', async () => {
  const { ask, answer, wait, clock } = openShop()
  await ask('/api/products/prd_1')
  answer(refused)
  const head = await wait('/api/products/prd_1', { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
  assert.ok(head.headers.has('age'))
  await clock.advance(3_600_000)
  assert.equal((await wait('/api/products/prd_1')).status, 503)
})

test('copies take no more room than they may: what was looked at last stays', async () => {
  const { ask, answer, wait } = openShop({ KEPT_COPIES_MIB: 1 })
  const large = 'x'.repeat(60 * 1024)
  answer(() => good(large))
  for (let n = 0; n < 20; n += 1) {
    await ask(`/api/products/${n}`)
    await ask('/api/products/0')
  }
  answer(refused)
  const statuses: number[] = []
  for (let n = 0; n < 20; n += 1) statuses.push((await wait(`/api/products/${n}`)).status)
  const kept = statuses.flatMap((status, n) => (status === 200 ? [n] : []))
  assert.equal(kept.length, 17) // of 60 KiB in one MiB
  assert.deepEqual(kept.slice(0, 2), [0, 4])
})

test('with no room nothing is kept, and it fails as before', async () => {
  const { ask, answer, wait } = openShop({ KEPT_COPIES_MIB: 0 })
  await ask('/api/products/prd_1')
  answer(refused)
  assert.equal((await wait('/api/products/prd_1')).status, 503)
})
