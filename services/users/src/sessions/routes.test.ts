/** Owns the proof of the sessions' HTTP: log-in, refresh with reuse detection, tokens, log-out. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createRealCrypto, type Claims } from '@quartet/kit/crypto'
import {
  ADMIN,
  assertProblem,
  createUsersDatabase,
  newPerson,
  openUsers,
  sessionOf,
  testConfig,
  userOf,
} from '../app.fixture.ts'
import { bootstrapAdmin } from '../bootstrap.ts'
import { LOGIN_WINDOW_MS, MAX_ISSUED, MAX_LOGIN_FAILURES, REFRESH_GRACE_MS } from '../domain.ts'
import { createKeyRing } from '../keys/key-ring.ts'
import { findByEmail } from '../store.ts'
import { openSessions } from './actions.ts'
import { sweepOnce } from './retention.ts'

const database = await createUsersDatabase()
const { ask, logIn, world, clock } = openUsers(database)
after(() => database.drop())

async function register() {
  const person = newPerson()
  return { ...person, ...userOf(await ask('POST /users', { body: person }), 201) }
}

const refresh = (token: string) => ask('POST /sessions/refresh', { body: { refresh_token: token } })

test('a log-in answers 201 with both tokens and the account, and stays in no cache', async () => {
  const ada = await register()
  const body = { email: ` ${ada.email.toUpperCase()} `, password: ada.password }
  const headers = { 'idempotency-key': 'ignored' }
  const answer = await ask('POST /sessions', { body, headers })
  const session = sessionOf(answer, 201)
  assert.equal(session.token_type, 'Bearer')
  assert.equal(session.expires_in, 900)
  assert.equal(session.refresh_expires_in, 30 * 86_400)
  assert.equal(session.user.id, ada.id)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const second = sessionOf(await ask('POST /sessions', { body, headers }), 201)
  assert.notEqual(second.refresh_token, session.refresh_token)
  const secrets = [session.refresh_token, second.refresh_token, session.access_token]
  const rows = await database.db.query<{ row: string }>(
    `select row_to_json(t)::text as row from refresh_tokens t
     union all select row_to_json(k)::text from idempotency_keys k`,
  )
  for (const { row } of rows) assert.ok(!secrets.some((secret) => row.includes(secret)))
})

test('rule 17: log-in and refresh keep no answer', async () => {
  const ada = await register()
  const headers = { 'idempotency-key': 'log-in-key' }
  const { refresh_token } = await logIn(ada)
  await ask('POST /sessions', { body: { email: ada.email, password: ada.password }, headers })
  await ask('POST /sessions/refresh', { body: { refresh_token }, headers })
  const rows = await database.db.query(`select from idempotency_keys`)
  assert.equal(rows.length, 0)
})

test('an unknown e-mail, a wrong password and an account without one get the same answer', async () => {
  const ada = await register()
  await insertBlank('blank@shop.test')
  const answers = await Promise.all(
    ['nobody@shop.test', ada.email, 'blank@shop.test'].map((email) =>
      ask('POST /sessions', { body: { email, password: 'a wrong guess' } }),
    ),
  )
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
  for (const answer of answers) assertProblem(answer, 401, 'invalid_credentials')
})

const insertBlank = (email: string) =>
  database.db.query(
    `insert into users (id, email, name, role, created_at, updated_at)
     values ('usr_blank', $1, 'B', 'customer', $2, $2)`,
    [email, new Date(clock.now())],
  )

test('ten wrong passwords lock log-ins of that e-mail, known or not, for the rest of 15 minutes', async () => {
  const ada = await register()
  const open = await logIn(ada)
  for (const email of [ada.email, 'unknown@shop.test']) {
    for (let failure = 1; failure <= MAX_LOGIN_FAILURES; failure += 1) {
      const wrong = await ask('POST /sessions', { body: { email, password: 'guess' } })
      assertProblem(wrong, 401, 'invalid_credentials')
    }
    const locked = await ask('POST /sessions', { body: { email, password: ada.password } })
    assertProblem(locked, 429, 'too_many_failures')
    assert.equal(locked.headers.get('retry-after'), String(LOGIN_WINDOW_MS / 1_000))
  }
  sessionOf(await refresh(open.refresh_token), 200)
  await clock.advance(LOGIN_WINDOW_MS)
  await logIn(ada)
})

test('a log-in that succeeds forgets the failures before it', async () => {
  const ada = await register()
  for (let failure = 1; failure < MAX_LOGIN_FAILURES * 2; failure += 1) {
    if (failure === MAX_LOGIN_FAILURES) await logIn(ada)
    const wrong = await ask('POST /sessions', { body: { email: ada.email, password: 'guess' } })
    assertProblem(wrong, 401, 'invalid_credentials')
  }
})

test('rule 22: a refresh rotates; both pairs belong to one session', async () => {
  const ada = await register()
  const first = await logIn(ada)
  await clock.advance(60_000)
  const second = sessionOf(await refresh(first.refresh_token), 200)
  assert.notEqual(second.refresh_token, first.refresh_token)
  assert.equal(second.user.id, ada.id)
  await clock.advance(60_000)
  const third = sessionOf(await refresh(second.refresh_token), 200)
  userOf(await ask(`GET /users/${ada.id}`, { token: third.access_token }), 200)
})

test('rule 22: the same refresh token twice at once, as when an answer was lost, gives two usable pairs', async () => {
  const ada = await register()
  const { refresh_token } = await logIn(ada)
  const answers = await Promise.all([refresh(refresh_token), refresh(refresh_token)])
  const [one, two] = answers.map((answer) => sessionOf(answer, 200))
  assert.ok(one && two)
  assert.notEqual(one.refresh_token, two.refresh_token)
  await clock.advance(REFRESH_GRACE_MS)
  const late = sessionOf(await refresh(refresh_token), 200)
  const next = sessionOf(await refresh(late.refresh_token), 200)
  userOf(await ask(`GET /users/${ada.id}`, { token: next.access_token }), 200)
})

test('rule 22: reuse after the grace ends the whole family', async () => {
  const ada = await register()
  const first = await logIn(ada)
  const second = sessionOf(await refresh(first.refresh_token), 200)
  const other = await logIn(ada)
  await clock.advance(REFRESH_GRACE_MS + 1)
  assertProblem(await refresh(first.refresh_token), 401, 'refresh_token_reused')
  assertProblem(await refresh(second.refresh_token), 401, 'invalid_refresh_token')
  const path = `GET /users/${ada.id}`
  assertProblem(await ask(path, { token: second.access_token }), 401, 'session_ended')
  userOf(await ask(path, { token: other.access_token }), 200)
  const reasons = await database.db.query<{ revoke_reason: string }>(
    'select revoke_reason from sessions where user_id = $1 and revoked_at is not null',
    [ada.id],
  )
  assert.deepEqual(reasons, [{ revoke_reason: 'token_reused' }])
})

test('rule 22: within the grace a family forks only so far', async () => {
  const ada = await register()
  const { refresh_token } = await logIn(ada)
  const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(refresh_token)))
  assert.equal(answers.filter(({ status }) => status === 200).length, MAX_ISSUED)
  for (const answer of answers) {
    if (answer.status !== 200) assertProblem(answer, 429, 'too_many_requests')
  }
})

test('an unknown, an expired and a malformed refresh token are refused', async () => {
  const ada = await register()
  const { refresh_token, access_token } = await logIn(ada)
  assertProblem(await refresh('rt_unknown'), 401, 'invalid_refresh_token')
  assertProblem(await refresh(access_token.slice(0, 128)), 401, 'invalid_refresh_token')
  assert.deepEqual(assertProblem(await refresh('x'.repeat(129)), 400, 'invalid'), ['refresh_token'])
  const missing = await ask('POST /sessions/refresh', { body: {} })
  assert.deepEqual(assertProblem(missing, 400, 'invalid'), ['refresh_token'])
  await clock.advance(testConfig.REFRESH_TOKEN_TTL_S * 1_000)
  assertProblem(await refresh(refresh_token), 401, 'invalid_refresh_token')
})

test('logging out ends this session alone', async () => {
  const ada = await register()
  const [here, there] = [await logIn(ada), await logIn(ada)]
  const out = await ask('DELETE /sessions/current', { token: here.access_token })
  assert.deepEqual([out.status, out.text], [204, ''])
  const again = await ask('DELETE /sessions/current', { token: here.access_token })
  assertProblem(again, 401, 'session_ended')
  assertProblem(await refresh(here.refresh_token), 401, 'invalid_refresh_token')
  sessionOf(await refresh(there.refresh_token), 200)
  assertProblem(await ask('DELETE /sessions/current'), 401, 'unauthenticated')
})

test('a password that changes while a log-in with the old one runs leaves it no session', async () => {
  const ada = await register()
  const stale = await findByEmail(database.db, ada.email)
  assert.ok(stale)
  const { access_token } = await logIn(ada)
  const body = { password: 'changed meanwhile', current_password: ada.password }
  userOf(await ask(`PUT /users/${ada.id}`, { token: access_token, body }), 200)
  const [user] = await openSessions(world, [
    { sessionId: 'ses_late', user: stale, tokenHash: 'h', expiresAt: new Date(), account: 'a' },
  ])
  assert.equal(user, undefined)
  assert.equal((await database.db.query(`select from sessions where id = 'ses_late'`)).length, 0)
})

test('expired tokens and sessions without any are swept, live ones stay', async () => {
  const ada = await register()
  const old = await logIn(ada)
  await clock.advance(20 * 86_400_000)
  const live = await logIn(ada)
  await clock.advance(11 * 86_400_000)
  await sweepOnce(world, (account) => account)
  const sessions = await database.db.query('select from sessions where user_id = $1', [ada.id])
  assert.equal(sessions.length, 1)
  assertProblem(await refresh(old.refresh_token), 401, 'invalid_refresh_token')
  sessionOf(await refresh(live.refresh_token), 200)
})

test('two replicas that start at once on an empty shop make one admin', async () => {
  const empty = await createUsersDatabase()
  try {
    const replicas = [openUsers(empty), openUsers(empty)]
    await Promise.all(replicas.map((replica) => replica.app.start()))
    const rows = await empty.db.query<{ email: string; role: string }>(
      'select email, role from users',
    )
    assert.deepEqual(rows, [{ email: ADMIN.email, role: 'admin' }])
    const keys = await empty.db.query('select from signing_keys')
    assert.equal(keys.length, 1)
    await bootstrapAdmin(replicas[0]?.world ?? assert.fail(), { hash: () => assert.fail() })
    await Promise.all(replicas.map((replica) => replica.app.stop()))
    assert.equal((await replicas[0]?.ask('GET /health/ready'))?.status, 503)
  } finally {
    await empty.drop()
  }
})

test('tokens that are unsigned, forged, foreign, expired or of another kind are refused', async () => {
  const ada = await register()
  const { access_token } = await logIn(ada)
  const crypto = createRealCrypto()
  const foreign = await crypto.newSigningKey()
  const [head = '', payload = '', signature = ''] = access_token.split('.')
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
  const { exp: _exp, ...endless } = claims
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const own = await createKeyRing(world).signing()
  const path = `GET /users/${ada.id}`
  userOf(await ask(path, { token: access_token }), 200)
  const forged = {
    'alg none': `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.${signature}`,
    'alg HS256': `${encode({ ...header, alg: 'HS256' })}.${payload}.${signature}`,
    'changed claims': `${head}.${encode({ ...claims, role: 'admin' })}.${signature}`,
    'a foreign key': await crypto.signJwt(claims, foreign, 'at+jwt'),
    'a foreign key by our name': await crypto.signJwt(
      claims,
      { ...foreign, kid: own.kid },
      'at+jwt',
    ),
    'another typ': await crypto.signJwt(claims, own, 'service+jwt'),
    'another audience': await crypto.signJwt({ ...claims, aud: 'other' }, own, 'at+jwt'),
    'another issuer': await crypto.signJwt({ ...claims, iss: 'orders' }, own, 'at+jwt'),
    'no session': await crypto.signJwt({ ...claims, sid: 'ses_none' }, own, 'at+jwt'),
    'another user': await crypto.signJwt({ ...claims, sub: 'usr_other' }, own, 'at+jwt'),
    'no expiry': await crypto.signJwt(endless, own, 'at+jwt'),
    'an odd role': await crypto.signJwt({ ...claims, role: 'root' }, own, 'at+jwt'),
    'no token at all': 'x',
  }
  for (const [name, token] of Object.entries(forged)) {
    const answer = await ask(path, { token })
    assert.equal(answer.status, 401, `${name}: ${answer.text}`)
  }
  const raised = await crypto.signJwt({ ...claims, role: 'admin' }, own, 'at+jwt')
  assertProblem(await ask('GET /users', { token: raised }), 403, 'forbidden')
  await clock.advance(testConfig.ACCESS_TOKEN_TTL_S * 1_000)
  assertProblem(await ask(path, { token: access_token }), 401, 'unauthenticated')
})
