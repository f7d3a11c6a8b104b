/** Proves rule 22: keys live in this service's own database, so that no neighbour is needed to verify. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createRealCrypto, publicHalf, type PublicJwk } from './crypto.ts'
import { createKeySets } from './key-sets.ts'
import { Problem } from './problem.ts'
import {
  createTestClock,
  createTestDatabase,
  createTestNetwork,
  createTestWorld,
  type TestClock,
  type TestDatabase,
} from './testing.ts'

let database: TestDatabase
let clock: TestClock
let keys: [PublicJwk, PublicJwk, PublicJwk]

before(async () => {
  database = await createTestDatabase({
    name: 'kit',
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  })
  const newKey = async () => publicHalf(await createRealCrypto().newSigningKey())
  keys = [await newKey(), await newKey(), await newKey()]
})

after(() => database.drop())

beforeEach(async () => {
  await database.db.query('truncate key_sets')
  clock = createTestClock()
})

/** Key sets of one issuer, whose answer the test gives, and how often it was asked. */
function keySetsOf(answer: () => Promise<Response> | Response) {
  const asked = { times: 0 }
  const fetch = createTestNetwork({
    'http://users.test': (request) => {
      asked.times += 1
      assert.equal(request.url, 'http://users.test/.well-known/jwks.json')
      return answer()
    },
  })
  const world = createTestWorld({ config: {}, db: database.db, clock, fetch })
  return { keySets: createKeySets(world, { users: 'http://users.test' }), asked }
}

const down = (): Promise<Response> => Promise.reject(new TypeError('fetch failed'))
const jwks = (...shown: unknown[]) => Response.json({ keys: shown })
const turn = () => new Promise((resolve) => setImmediate(resolve))

async function unavailable(attempt: Promise<unknown>): Promise<void> {
  const error = await attempt.catch((reason: unknown) => reason)
  assert.ok(error instanceof Problem, String(error))
  assert.equal(error.status, 503)
  assert.ok(error.options.retryAfterS !== undefined)
}

test('a key is fetched when it is first needed, and found by its kid from then on', async () => {
  const { keySets, asked } = keySetsOf(() => jwks(keys[0], keys[1]))
  assert.deepEqual(await keySets.find('users', keys[1].kid), keys[1])
  assert.deepEqual(await keySets.find('users', keys[0].kid), keys[0])
  assert.equal(asked.times, 1)
})

test('rule 22: after a restart while the issuer is down, keys come from the database', async () => {
  const first = keySetsOf(() => jwks(keys[0]))
  await first.keySets.find('users', keys[0].kid)
  const restarted = keySetsOf(down)
  await restarted.keySets.start()
  assert.deepEqual(await restarted.keySets.find('users', keys[0].kid), keys[0])
})

test('while not one key of the issuer is known it is 503, and soon asked again', async () => {
  let answer = down
  const { keySets, asked } = keySetsOf(() => answer())
  await keySets.start()
  await unavailable(keySets.find('users', keys[0].kid))
  await unavailable(keySets.find('users', keys[0].kid))
  assert.equal(asked.times, 1)
  answer = async () => jwks(keys[0])
  await clock.advance(1_000)
  assert.deepEqual(await keySets.find('users', keys[0].kid), keys[0])
})

test('rule 22: an unknown kid asks the issuer at most every 5 s', async () => {
  const { keySets, asked } = keySetsOf(() => jwks(keys[0]))
  await keySets.find('users', keys[0].kid)
  for (let attempt = 0; attempt < 20; attempt += 1) {
    assert.equal(await keySets.find('users', `forged-${attempt}`), undefined)
  }
  assert.equal(asked.times, 1)
  await clock.advance(5_000)
  const many = Array.from({ length: 20 }, (_, index) => keySets.find('users', `forged-${index}`))
  assert.deepEqual(new Set(await Promise.all(many)), new Set([undefined]))
  assert.equal(asked.times, 2)
})

test('a new key of the issuer is found when a token first names it', async () => {
  let shown = [keys[0]]
  const { keySets } = keySetsOf(() => jwks(...shown))
  await keySets.find('users', keys[0].kid)
  shown = [keys[0], keys[1]]
  await clock.advance(5_000)
  assert.deepEqual(await keySets.find('users', keys[1].kid), keys[1])
})

test('a key that its issuer withdrew is refused ten minutes later', async () => {
  let shown = [keys[0], keys[1]]
  const { keySets } = keySetsOf(() => jwks(...shown))
  await keySets.find('users', keys[0].kid)
  shown = [keys[1]]
  await clock.advance(600_001)
  await keySets.find('users', keys[0].kid) // asks in the background
  await turn()
  assert.equal(await keySets.find('users', keys[0].kid), undefined)
  assert.deepEqual(await keySets.find('users', keys[1].kid), keys[1])
})

test('keys of kinds not used here are passed over; an answer without a usable key changes nothing', async () => {
  const rsa = { kty: 'RSA', kid: 'rsa', n: 'AQAB', e: 'AQAB', alg: 'RS256', use: 'sig' }
  let answer = () => jwks(rsa, null, keys[0])
  const { keySets } = keySetsOf(() => answer())
  assert.deepEqual(await keySets.find('users', keys[0].kid), keys[0])
  assert.equal(await keySets.find('users', 'rsa'), undefined)
  const useless = [
    () => jwks(),
    () => jwks(rsa),
    () => new Response('<html>'),
    () => Response.json({}),
    () => new Response('no', { status: 500 }),
    () => jwks(...Array.from({ length: 21 }, () => keys[1])),
  ]
  for (const next of useless) {
    answer = next
    await clock.advance(5_000)
    assert.equal(await keySets.find('users', keys[1].kid), undefined)
    assert.deepEqual(await keySets.find('users', keys[0].kid), keys[0])
  }
})

test('an issuer that never answers is given up after 2 s', async () => {
  const { keySets } = keySetsOf(() => new Promise<Response>(() => {}))
  const finding = unavailable(keySets.find('users', keys[0].kid))
  await clock.advance(2_000)
  await finding
})

test('an issuer that is not configured has no keys', async () => {
  const { keySets, asked } = keySetsOf(() => jwks(keys[0]))
  for (const issuer of ['mallory', 'constructor', '__proto__']) {
    assert.equal(await keySets.find(issuer, keys[2].kid).catch(() => undefined), undefined)
  }
  assert.equal(asked.times, 0)
})
