/** Proves who is let in (rule 22, RFC 8725): people, services, and nobody for where they stand. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import {
  ACCESS_TOKEN_TYPE,
  createAuthenticator,
  createServiceSigner,
  type Authenticator,
} from './auth.ts'
import { createRealCrypto, publicHalf, type Crypto } from './crypto.ts'
import { createKeySets } from './key-sets.ts'
import { Problem } from './problem.ts'
import {
  createTestClock,
  createTestDatabase,
  createTestIssuer,
  createTestNetwork,
  createTestWorld,
  type TestClock,
  type TestDatabase,
  type TestIssuer,
} from './testing.ts'

let database: TestDatabase

before(async () => {
  database = await createTestDatabase({
    name: 'kit',
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  })
})

after(() => database.drop())

const realCrypto = createRealCrypto()

// What the tests change about the world, made anew for each.
let clock: TestClock
let users: TestIssuer
let caller: TestIssuer
let verifications: number
let evilAsked: number
let erased: Set<string>
let auth: Authenticator

const countingCrypto: Crypto = {
  ...realCrypto,
  verifyJwt: (...given) => {
    verifications += 1
    return realCrypto.verifyJwt(...given)
  },
}

beforeEach(async () => {
  await database.db.query('truncate key_sets')
  clock = createTestClock()
  users = await createTestIssuer(clock)
  caller = await createTestIssuer(clock)
  verifications = 0
  evilAsked = 0
  erased = new Set()
  const evil = () => {
    evilAsked += 1
    return new Response()
  }
  const world = {
    ...createTestWorld({
      config: {},
      db: database.db,
      clock,
      fetch: createTestNetwork({
        'http://users.test': users.fetch,
        'http://caller.test': caller.fetch,
        'http://other.test': caller.fetch,
        'http://evil.test': evil,
      }),
    }),
    crypto: countingCrypto,
  }
  const keySets = createKeySets(world, {
    users: 'http://users.test',
    caller: 'http://caller.test',
    other: 'http://other.test',
  })
  const isErased = (userId: string) => erased.has(userId)
  auth = createAuthenticator(world, { audience: 'things', callers: ['caller'], keySets, isErased })
})

function requestWith(authorization?: string): Request {
  const headers = new Headers()
  if (authorization !== undefined) headers.set('authorization', authorization)
  return new Request('http://test/', { headers })
}

async function refused(attempt: Promise<unknown>, status: number, what = 'it'): Promise<void> {
  const error = await attempt.then(
    () => assert.fail(`${what} should be refused`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof Problem, `${what}: ${String(error)}`)
  assert.equal(error.status, status, what)
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function accessClaims(changes: Record<string, unknown> = {}) {
  const iat = Math.floor(clock.now() / 1_000)
  const claims = { iss: 'users', aud: 'quartet', sub: 'usr_1', sid: 'ses_1', role: 'customer' }
  return { ...claims, iat, exp: iat + 900, ...changes }
}

test('a person is who the access token says', async () => {
  const request = requestWith(await users.user('usr_1', 'admin'))
  const principal = { userId: 'usr_1', role: 'admin', sessionId: 'ses_test' }
  assert.deepEqual(await auth.user(request), principal)
  assert.deepEqual(await auth.optionalUser(request), principal)
  assert.deepEqual(await auth.admin(request), principal)
})

test('only an admin passes where an admin is asked for', async () => {
  await refused(auth.admin(requestWith(await users.user('usr_1'))), 403)
  await refused(auth.admin(requestWith()), 401)
})

test('rule 22: a token that is still good opens nothing once its account is erased', async () => {
  const request = requestWith(await users.user('usr_1', 'admin'))
  await auth.admin(request) // its claims are kept now
  erased.add('usr_1')
  for (const ask of [auth.user, auth.optionalUser, auth.admin]) {
    await assert.rejects(
      ask(request),
      (error) =>
        error instanceof Problem && error.status === 401 && error.code === 'account_erased',
    )
  }
  await refused(auth.serviceOrAdmin(request, 'read'), 401)
  assert.equal((await auth.user(requestWith(await users.user('usr_2')))).userId, 'usr_2')
})

test('no token is nobody; a broken one is refused even where none is needed', async () => {
  assert.equal(await auth.optionalUser(requestWith()), undefined)
  await refused(auth.user(requestWith()), 401)
  const long = `Bearer ${'a'.repeat(4_096)}.b.c`
  for (const header of ['Bearer', 'Basic dXNlcjpwdw==', 'Bearer a.b', 'Bearer a.b.c d', long]) {
    await refused(auth.optionalUser(requestWith(header)), 401, header)
  }
})

test('RFC 8725: tokens with a wrong issuer, audience, type, time, role or subject are refused', async () => {
  const nowS = Math.floor(clock.now() / 1_000)
  const wrong: Record<string, unknown>[] = [
    { iss: 'caller' },
    { aud: 'things' },
    { exp: nowS - 1 },
    { exp: undefined },
    { nbf: nowS + 60 },
    { sub: undefined },
    { sub: 5 },
    { sid: undefined },
    { role: 'root' },
    { role: undefined },
  ]
  for (const changes of wrong) {
    const header = await users.user('usr_1', 'customer', changes)
    await refused(auth.user(requestWith(header)), 401, JSON.stringify(changes))
  }
  const typed = await realCrypto.signJwt(accessClaims(), users.key, 'JWT')
  await refused(auth.user(requestWith(`Bearer ${typed}`)), 401, 'typ JWT')
})

test('RFC 8725: alg none and HS256 with the public key as secret are refused', async () => {
  const header = { typ: ACCESS_TOKEN_TYPE, kid: users.key.kid }
  const claims = part(accessClaims({ role: 'admin' }))
  const none = `${part({ ...header, alg: 'none' })}.${claims}`
  const input = `${part({ ...header, alg: 'HS256' })}.${claims}`
  const secret = Buffer.from(users.key.x, 'base64url')
  const signature = createHmac('sha256', secret).update(input).digest('base64url')
  for (const token of [`${none}.`, `${none}.AA`, `${input}.${signature}`]) {
    await refused(auth.user(requestWith(`Bearer ${token}`)), 401, token)
  }
})

test('RFC 8725: a foreign kid, a foreign key under a known kid, and jku are refused', async () => {
  const foreign = await realCrypto.newSigningKey()
  const unknown = await realCrypto.signJwt(accessClaims(), foreign, ACCESS_TOKEN_TYPE)
  await refused(auth.user(requestWith(`Bearer ${unknown}`)), 401, 'foreign kid')
  const posing = { ...foreign, kid: users.key.kid }
  const posed = await realCrypto.signJwt(accessClaims(), posing, ACCESS_TOKEN_TYPE)
  await refused(auth.user(requestWith(`Bearer ${posed}`)), 401, 'foreign key')
  const [, payload = '', signature = ''] = posed.split('.')
  const header = {
    alg: 'EdDSA',
    typ: ACCESS_TOKEN_TYPE,
    kid: users.key.kid,
    jku: 'http://evil.test/keys',
    jwk: publicHalf(foreign),
  }
  const named = `${part(header)}.${payload}.${signature}`
  await refused(auth.user(requestWith(`Bearer ${named}`)), 401, 'jku')
  assert.equal(evilAsked, 0)
  // A service's key signs no access token: its key set is not that of the users service.
  const byCaller = await caller.user('usr_1', 'admin')
  await refused(auth.user(requestWith(byCaller)), 401, 'a key of another issuer')
})

test('rule 22: a verified token is not verified again, until it expires', async () => {
  const request = requestWith(await users.user('usr_1'))
  await auth.user(request)
  await auth.user(request)
  assert.equal(verifications, 1)
  await clock.advance(899_000)
  await auth.user(request)
  assert.equal(verifications, 1)
  await clock.advance(1_000)
  await refused(auth.user(request), 401)
})

test('the cache of verified tokens is bounded: the oldest goes', async () => {
  // Stub: ten thousand signatures would take seconds.
  const crypto: Crypto = {
    ...realCrypto,
    keyIdOf: () => 'kid',
    async verifyJwt() {
      verifications += 1
      return accessClaims()
    },
  }
  const key = publicHalf(users.key)
  const keySets = { find: async () => key, start: async () => {} }
  const bounded = createAuthenticator({ clock, crypto }, { audience: 'a', callers: [], keySets })
  const ask = (number: number) => bounded.user(requestWith(`Bearer a.b.${number}`))
  for (let number = 0; number <= 10_000; number += 1) await ask(number)
  assert.equal(verifications, 10_001)
  await ask(10_000)
  await ask(1)
  assert.equal(verifications, 10_001)
  await ask(0) // the one that went
  assert.equal(verifications, 10_002)
})

test('a service is let in for the scope and the audience its token names', async () => {
  const header = await caller.service('caller', 'things', 'things.make')
  assert.equal(await auth.service(requestWith(header), 'things.make'), 'caller')
  await refused(auth.service(requestWith(header), 'things.break'), 403, 'another scope')
  const elsewhere = await caller.service('caller', 'elsewhere', 'things.make')
  await refused(auth.service(requestWith(elsewhere), 'things.make'), 401, 'another audience')
  await refused(auth.service(requestWith(), 'things.make'), 401, 'no token')
})

test('a service that is not listed as a caller is refused, and so is one that poses as listed', async () => {
  const other = await caller.service('other', 'things', 'things.make')
  await refused(auth.service(requestWith(other), 'things.make'), 403, 'not listed')
  const posing = await users.service('caller', 'things', 'things.make')
  await refused(auth.service(requestWith(posing), 'things.make'), 401, 'signed by another')
  for (const payload of ['e30', part(null), part({ iss: ['caller'] }), part('caller'), '____']) {
    const token = `Bearer ${part({ alg: 'EdDSA', kid: caller.key.kid })}.${payload}.AA`
    await refused(auth.service(requestWith(token), 'things.make'), 403, payload)
  }
})

test('neither kind of token passes for the other', async () => {
  const service = await caller.service('caller', 'things', 'things.make')
  await refused(auth.user(requestWith(service)), 401, 'a service token as an access token')
  const person = await users.user('usr_1', 'admin')
  await refused(
    auth.service(requestWith(person), 'things.make'),
    403,
    'an access token as a service',
  )
  // Even with every claim of the other kind, the header's type keeps them apart.
  const dressed = await caller.user('usr_1', 'admin', {
    iss: 'caller',
    aud: 'things',
    scope: 'things.make',
  })
  await refused(auth.service(requestWith(dressed), 'things.make'), 401, 'typ')
  const scoped = accessClaims()
  const typed = await realCrypto.signJwt(scoped, users.key, 'service+jwt')
  await refused(auth.user(requestWith(`Bearer ${typed}`)), 401, 'typ')
})

test('a signer gives one token per callee and scope, and a new one a minute before it expires', async () => {
  const sign = createServiceSigner({ clock, crypto: realCrypto }, 'caller', caller.key)
  const first = await sign('things', 'things.make')
  assert.equal(await sign('things', 'things.make'), first)
  assert.notEqual(await sign('things', 'things.break'), first)
  assert.notEqual(await sign('elsewhere', 'things.make'), first)
  await clock.advance(239_000)
  assert.equal(await sign('things', 'things.make'), first)
  await clock.advance(1_000)
  const second = await sign('things', 'things.make')
  assert.notEqual(second, first)
  assert.equal(await auth.service(requestWith(`Bearer ${second}`), 'things.make'), 'caller')
})

test('a signature that failed is not kept', async () => {
  let failures = 1
  const crypto: Crypto = {
    ...realCrypto,
    signJwt: (...given) => {
      failures -= 1
      return failures >= 0 ? Promise.reject(new Error('no')) : realCrypto.signJwt(...given)
    },
  }
  const sign = createServiceSigner({ clock, crypto }, 'caller', caller.key)
  await assert.rejects(sign('things', 'things.make'))
  assert.match(await sign('things', 'things.make'), /^[\w-]+\.[\w-]+\.[\w-]+$/)
})
