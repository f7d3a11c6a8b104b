/** Proves the limits: by address and account, shared by replicas, and never in a request's way. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Authenticator } from '@quartet/kit/auth'
import { Problem } from '@quartet/kit/problem'
import {
  advanceUntil,
  createTestClock,
  createTestDatabase,
  type TestDatabase,
} from '@quartet/kit/testing'
import { silentLog } from '@quartet/kit/log'
import { config, openGateway } from '../gateway.fixture.ts'
import { clientAddress } from './client-address.ts'
import { createCounter, type SharedCounts } from './counter.ts'
import { createSharedCounts } from './shared-counts.ts'

let database: TestDatabase
before(async () => {
  const migrations = new URL('../../migrations/', import.meta.url)
  database = await createTestDatabase({ name: 'gateway', migrations })
})
after(() => database.drop())

const few = {
  ...config,
  SIGN_INS_PER_MINUTE: 2,
  REQUESTS_PER_MINUTE_BY_ADDRESS: 5,
  REQUESTS_PER_MINUTE_BY_ACCOUNT: 3,
}

// Tokens are their owner's name; `x` is nobody's.
const never = () => Promise.reject(new Error('nobody asks for this here'))
const authenticator: Authenticator = {
  user: never,
  admin: never,
  service: never,
  serviceOrAdmin: never,
  optionalUser({ headers }) {
    const userId = headers.get('authorization')?.split(' ')[1] ?? ''
    if (userId === 'x') return Promise.reject(new Problem('unauthenticated', 'no'))
    return Promise.resolve({ userId, role: 'customer', sessionId: 's' })
  },
}

const statuses = async (count: number, ask: () => Promise<Response>) => {
  const got: number[] = []
  for (let n = 0; n < count; n += 1) got.push((await ask()).status)
  return got
}

test('an address that asks too often is told when to come back; others are not concerned', async () => {
  const { ask, clock } = openGateway({}, { config: few })
  await clock.advance(60_000 - (clock.now() % 60_000) + 20_000) // 20 s into a minute
  assert.deepEqual(
    await statuses(6, () => ask('/api/products', {}, '10.0.0.1')),
    [200, 200, 200, 200, 200, 429],
  )
  const refused = await ask('/api/products', {}, '10.0.0.1')
  assert.equal(refused.headers.get('retry-after'), '40')
  assert.equal(((await refused.json()) as { code: string }).code, 'rate_limited')
  assert.equal((await ask('/api/products', {}, '10.0.0.2')).status, 200)
  await clock.advance(40_000)
  assert.equal((await ask('/api/products', {}, '10.0.0.1')).status, 200)
})

test('log-ins, guests, claims and registrations of one address are counted together, wherever they come in', async () => {
  const { ask } = openGateway({}, { config: few })
  const headers = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }
  const post = (path: string) => ask(path, { method: 'POST', body: '{}', headers }, '10.0.0.1')
  const answers = [
    await post('/api/sessions'),
    await post('/api/users'),
    await post('/api/sessions/'),
    await post('/browser/session'),
    await post('/api/guests'),
    await post('/browser/guest'),
    await post('/api/users/usr_1/claim'),
  ]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 429, 429, 429, 429, 429],
  )
  assert.equal((await ask('/api/products', {}, '10.0.0.1')).status, 200)
})

test('an account is counted over all its addresses, by tokens that verify alone', async () => {
  const { ask, clock } = openGateway({}, { config: few, authenticator })
  let n = 0
  const from = (token: string) => () => {
    n += 1
    const headers = { authorization: `Bearer ${token}` }
    return advanceUntil(clock, ask('/api/orders', { headers }, `10.0.1.${n}`))
  }
  assert.deepEqual(await statuses(4, from('ada')), [200, 200, 200, 429])
  assert.deepEqual(await statuses(2, from('bob')), [200, 200])
  assert.deepEqual(await statuses(6, from('x')), [200, 200, 200, 200, 200, 200])
})

test('whose keys are not at hand waits for nobody: after 100 ms the address alone counts', async () => {
  const silent = { ...authenticator, optionalUser: () => new Promise<never>(() => {}) }
  const { ask, clock } = openGateway({}, { config: few, authenticator: silent })
  const headers = { authorization: 'Bearer ada' }
  const asked = ask('/api/orders', { headers }, '10.0.0.1')
  const from = clock.now()
  assert.equal((await advanceUntil(clock, asked)).status, 200)
  assert.equal(clock.now() - from, 100)
})

test('replicas share what they have counted, in the gateway’s own database', async () => {
  const clock = createTestClock()
  const told: Promise<unknown>[] = []
  const replica = () => {
    const counts = createSharedCounts(database.db)
    const add: SharedCounts['add'] = (...count) => {
      const answer = counts.add(...count)
      told.push(answer)
      return answer
    }
    return createCounter({ clock, timers: clock.timers, log: silentLog }, { add })
  }
  const [one, other] = [replica(), replica()]
  const take = (counter: typeof one, times: number) =>
    Array.from({ length: times }, () => counter.take('address a', 10))
  const shared = async () => {
    await clock.advance(500)
    await Promise.all(told.splice(0))
  }
  take(one, 6)
  take(other, 3)
  await shared()
  take(other, 1)
  await shared() // now both have heard of all ten
  take(one, 1)
  await shared()
  assert.notEqual(one.take('address a', 10), undefined)
  assert.notEqual(other.take('address a', 10), undefined)
  assert.equal(other.take('address b', 10), undefined)
  const rows = await database.db.query<{ count: number }>('select count from rate_counts')
  assert.deepEqual(rows, [{ count: 11 }])
})

test('a database that is away costs nobody anything: counting goes on here', async () => {
  const clock = createTestClock()
  const shared: SharedCounts = { add: () => Promise.reject(new Error('away')) }
  const counter = createCounter({ clock, timers: clock.timers, log: silentLog }, shared)
  for (let n = 0; n < 10; n += 1) assert.equal(counter.take('k', 10), undefined)
  await clock.advance(500)
  assert.notEqual(counter.take('k', 10), undefined)
})

test('a client’s address: the connection’s, or what trusted proxies wrote; of IPv6 the network', () => {
  assert.equal(clientAddress('10.0.0.1', '1.2.3.4', 0), '10.0.0.1')
  assert.equal(clientAddress('10.0.0.1', 'forged, 1.2.3.4', 1), '1.2.3.4')
  assert.equal(clientAddress('10.0.0.1', 'forged, 1.2.3.4, 10.9.9.9', 2), '1.2.3.4')
  assert.equal(clientAddress('10.0.0.1', null, 1), '10.0.0.1')
  assert.equal(clientAddress('::ffff:10.0.0.1', null, 0), '10.0.0.1')
  assert.equal(clientAddress('2001:db8:1:2:3:4:5:6', null, 0), '2001:db8:1:2::/64')
  assert.equal(clientAddress('2001:db8::6', null, 0), '2001:db8:0:0::/64')
  assert.equal(clientAddress(undefined, null, 0), 'unknown')
})
