/** Proves rule 17: one effect a key, however often and from wherever it is asked. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { createHttp, type Http, type HttpEnv } from './http.ts'
import { idempotent, newId, startKeyRetention } from './idempotency.ts'
import { silentLog } from './log.ts'
import type { Database } from './postgres.ts'
import { Problem } from './problem.ts'
import { advanceUntil, createTestDatabase, createTestWorld, type TestDatabase } from './testing.ts'
import { realClock, realTimers } from './time.ts'
import type { World } from './world.ts'

let database: TestDatabase
let db: Database

before(async () => {
  database = await createTestDatabase({
    name: 'kit',
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  })
  db = database.db
})

after(() => database.drop())
beforeEach(() => db.query('truncate idempotency_keys'))

type Handler = (c: Context<HttpEnv>, id: string) => Promise<Response> | Response

/** A replica with one keyed route; `x-caller` says who asks. */
function createReplica(world: World<unknown>, handler: Handler): Http {
  const http = createHttp(world, {
    name: 'things',
    title: 'Things',
    description: 'Things',
    accepting: () => true,
  })
  http.post(
    '/things',
    idempotent(world, async (c) => ({ subject: c.req.header('x-caller') ?? 'anyone' })),
    (c) => handler(c, newId(world, c, 'thg')),
  )
  return http
}

const created: Handler = (c, id) => c.json({ id }, 201, { location: `/things/${id}` })

async function post(
  http: Http,
  key: string | undefined,
  body: unknown = { a: 1 },
  caller = 'usr_1',
) {
  const headers = new Headers({ 'content-type': 'application/json', 'x-caller': caller })
  if (key !== undefined) headers.set('idempotency-key', key)
  return http.fetch(
    new Request('http://test/things', { method: 'POST', headers, body: JSON.stringify(body) }),
  )
}

const problemSchema = z.object({ code: z.string(), status: z.number() })
const codeOf = async (response: Response) => problemSchema.parse(await response.json()).code
const isReplayed = (response: Response) => response.headers.get('idempotent-replayed') === 'true'
const testWorld = () => ({ ...createTestWorld({ config: {}, db }), log: silentLog })

test('rule 17: 20 copies at once, on two replicas, have one effect and identical answers', async () => {
  let effects = 0
  const handler: Handler = async (c, id) => {
    effects += 1
    await db.query('select pg_sleep(0.05)') // long enough for every copy to arrive
    return created(c, id)
  }
  const world = { ...testWorld(), clock: realClock, timers: realTimers }
  const replicas = [createReplica(world, handler), createReplica(world, handler)] as const
  const copies = Array.from({ length: 20 }, (_, index) =>
    post(replicas[index % 2 ? 1 : 0], 'key-1'),
  )
  const responses = await Promise.all(copies)
  assert.equal(effects, 1)
  const told = await Promise.all(
    responses.map(async (response) => ({
      status: response.status,
      type: response.headers.get('content-type'),
      location: response.headers.get('location'),
      body: await response.text(),
    })),
  )
  assert.equal(told[0]?.status, 201)
  assert.match(told[0].body, /"id":"thg_/)
  for (const answer of told) assert.deepEqual(answer, told[0])
  assert.equal(responses.filter(isReplayed).length, 19)
})

test('rule 17: the same key with another payload is 422', async () => {
  const http = createReplica(testWorld(), created)
  assert.equal((await post(http, 'key-1', { a: 1 })).status, 201)
  const other = await post(http, 'key-1', { a: 2 })
  assert.equal(other.status, 422)
  assert.equal(await codeOf(other), 'idempotency_key_reused')
  assert.ok(isReplayed(await post(http, 'key-1', { a: 1 })))
})

test('rule 17: while the first runs, a copy waits and then answers 409; another payload 422 at once', async () => {
  const world = testWorld()
  const entered = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const http = createReplica(world, async (c, id) => {
    entered.resolve()
    await gate.promise
    return created(c, id)
  })
  const first = post(http, 'key-1')
  await entered.promise
  assert.equal((await post(http, 'key-1', { a: 2 })).status, 422)
  const startedMs = world.clock.now()
  const second = await advanceUntil(world.clock, post(http, 'key-1'))
  assert.equal(second.status, 409)
  assert.equal(await codeOf(second), 'request_in_progress')
  assert.ok(second.headers.get('retry-after') !== null)
  const waitedMs = world.clock.now() - startedMs
  assert.ok(waitedMs >= 10_000 && waitedMs < 10_200, `waited ${waitedMs} ms`)
  const third = post(http, 'key-1')
  gate.resolve()
  assert.equal((await first).status, 201)
  assert.ok(isReplayed(await advanceUntil(world.clock, third)))
})

test('rule 17: a dead replica’s lease runs out; the request runs again and makes the same id', async () => {
  const world = testWorld()
  const ids: string[] = []
  const died = new Promise<never>(() => {})
  const dying = createReplica(world, (_c, id) => {
    ids.push(id)
    return died
  })
  void post(dying, 'key-1')
  while (ids.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const alive = createReplica(world, (c, id) => {
    ids.push(id)
    return created(c, id)
  })
  await world.clock.advance(15_001)
  const response = await post(alive, 'key-1')
  assert.equal(response.status, 201)
  assert.ok(!isReplayed(response))
  assert.equal(ids.length, 2)
  assert.equal(ids[0], ids[1])
})

test('rule 17: a run that wakes up after its lease was taken over overwrites and frees nothing', async () => {
  const world = testWorld()
  const frozen = Promise.withResolvers<Response>()
  const entered = Promise.withResolvers<void>()
  const slow = createReplica(world, () => {
    entered.resolve()
    return frozen.promise
  })
  const first = post(slow, 'key-1')
  await entered.promise
  await world.clock.advance(15_001)
  const secondEntered = Promise.withResolvers<void>()
  const secondGate = Promise.withResolvers<void>()
  const second = createReplica(world, async (c) => {
    secondEntered.resolve()
    await secondGate.promise
    return c.json({ from: 'second' }, 201)
  })
  const running = post(second, 'key-1')
  await secondEntered.promise
  frozen.resolve(new Response('late', { status: 503 })) // would free the key if it still could
  await first
  assert.equal((await db.query('select from idempotency_keys')).length, 1)
  secondGate.resolve()
  await running
  assert.deepEqual(await (await post(second, 'key-1')).json(), { from: 'second' })
})

test('rule 17: answers of 2xx, 402 and 409 are kept; every other frees the key', async () => {
  const world = testWorld()
  for (const status of [200, 201, 202, 204, 402, 409]) {
    const http = createReplica(world, () => new Response(status === 204 ? null : 'x', { status }))
    const key = `kept-${status}`
    assert.ok(!isReplayed(await post(http, key)))
    const again = await post(http, key)
    assert.equal(again.status, status)
    assert.ok(isReplayed(again), `${status} should be replayed`)
  }
  for (const status of [400, 401, 403, 404, 422, 429, 500, 503]) {
    let runs = 0
    const http = createReplica(world, () => {
      runs += 1
      return new Response('x', { status })
    })
    await post(http, `freed-${status}`)
    assert.ok(!isReplayed(await post(http, `freed-${status}`)))
    assert.equal(runs, 2, `${status} should run again`)
  }
})

test('a problem or an unexpected error that is thrown is kept or freed by its status, too', async () => {
  const world = testWorld()
  const refused = createReplica(world, () => {
    throw new Problem('payment_required', 'Declined', { code: 'declined' })
  })
  await post(refused, 'key-1')
  const again = await post(refused, 'key-1')
  assert.ok(isReplayed(again))
  assert.equal(again.headers.get('content-type'), 'application/problem+json')
  assert.equal(await codeOf(again), 'declined')
  let runs = 0
  const broken = createReplica(world, (c, id) => {
    runs += 1
    if (runs === 1) throw new Error('unexpected')
    return created(c, id)
  })
  assert.equal((await post(broken, 'key-2')).status, 500)
  assert.equal((await post(broken, 'key-2')).status, 201)
})

test('rule 17: callers, keys and routes are scopes of their own', async () => {
  const ids = new Set<string>()
  const http = createReplica(testWorld(), (c, id) => {
    ids.add(id)
    return created(c, id)
  })
  await post(http, 'key-1', { a: 1 }, 'usr_1')
  await post(http, 'key-1', { a: 1 }, 'usr_2')
  await post(http, 'key-1', { a: 2 }, 'anonymous, creates usr_3')
  await post(http, 'key-2', { a: 1 }, 'usr_1')
  assert.equal(ids.size, 4)
})

test('without a key nothing is kept, and every id is new', async () => {
  const ids = new Set<string>()
  const http = createReplica(testWorld(), (c, id) => {
    ids.add(id)
    return created(c, id)
  })
  await post(http, undefined)
  await post(http, undefined)
  assert.equal(ids.size, 2)
  assert.deepEqual(await db.query('select from idempotency_keys'), [])
})

test('a key is 1 to 255 printable ASCII characters', async () => {
  const http = createReplica(testWorld(), created)
  for (const key of ['', 'a b', 'x'.repeat(256), 'ä', 'a\tb']) {
    const response = await post(http, key)
    assert.equal(response.status, 400, JSON.stringify(key))
    assert.match(await response.text(), /"field":"Idempotency-Key"/)
  }
  for (const key of ['x'.repeat(255), '"8e03978e-40d5-43dd-bc93-6894a57f9324"', '!~']) {
    assert.equal((await post(http, key)).status, 201, key)
  }
})

test('an answer that could not be kept is given all the same', async () => {
  const flaky: Database = {
    ...db,
    query: (text, values) =>
      text.startsWith('update') ? Promise.reject(new Error('lost')) : db.query(text, values),
  }
  const http = createReplica(createTestWorld({ config: {}, db: flaky }), created)
  assert.equal((await post(http, 'key-1')).status, 201)
})

test('keys older than 48 hours are deleted at the start and every hour, in portions', async () => {
  const world = testWorld()
  const insert = (from: number, to: number, ageMs: number) =>
    db.query(
      `insert into idempotency_keys (scope, request_hash, leased_until, created_at)
       select 's' || n, '', $3, $3 from generate_series($1::int, $2::int) as n`,
      [from, to, new Date(world.clock.now() - ageMs)],
    )
  const HOUR_MS = 3_600_000
  await insert(1, 6_000, 48 * HOUR_MS + 1) // more than one portion
  await insert(6_001, 6_001, 48 * HOUR_MS - 1)
  await insert(6_002, 6_002, 0)
  const left = async () => (await db.query('select from idempotency_keys')).length
  const leaves = async (count: number) => {
    const deadlineMs = Date.now() + 10_000
    while ((await left()) !== count) assert.ok(Date.now() < deadlineMs, `not ${count} keys left`)
  }
  const stop = startKeyRetention(world)
  await leaves(2)
  await world.clock.advance(HOUR_MS)
  await leaves(1)
  stop()
  await world.clock.advance(100 * HOUR_MS)
  assert.equal(await left(), 1)
})
