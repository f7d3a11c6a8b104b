/** Owns the proof of the accounts' HTTP, on real PostgreSQL. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import {
  ADMIN,
  assertProblem,
  createUsersDatabase,
  newPerson,
  openUsers,
  sessionOf,
  userOf,
} from './app.fixture.ts'

const database = await createUsersDatabase()
const { app, ask, logIn, clock } = openUsers(database)
let adminToken = ''

before(async () => {
  await app.start()
  adminToken = (await logIn(ADMIN)).access_token
})

after(async () => {
  await app.stop()
  await database.drop()
})

async function register() {
  const person = newPerson()
  const user = userOf(await ask('POST /users', { body: person }), 201)
  return { ...person, ...user, token: (await logIn(person)).access_token }
}

async function eventsOf(subject: string) {
  return database.db.query<{ type: string; data: unknown }>(
    `select type, data from (select * from outbox union all
       select sequence, id, type, subject, time, data from events) as all_events
     where subject = $1 order by position`,
    [subject],
  )
}

test('anyone registers: 201, Location, a normalised e-mail, the role customer, no password', async () => {
  const body = { email: '  Grace@Shop.TEST ', password: 'secret word', name: 'Grace' }
  const answer = await ask('POST /users', { body })
  const user = userOf(answer, 201)
  assert.match(user.id, /^usr_/)
  assert.deepEqual(
    { email: user.email, name: user.name, role: user.role },
    { email: 'grace@shop.test', name: 'Grace', role: 'customer' },
  )
  assert.equal(answer.headers.get('location'), `/users/${user.id}`)
  assert.equal(user.created_at, new Date(clock.now()).toISOString())
  const stored = await database.db.query<{ password_hash: string }>(
    'select password_hash from users where id = $1',
    [user.id],
  )
  assert.match(stored[0]?.password_hash ?? '', /^\$argon2id\$/)
})

test('a client may choose the id, once', async () => {
  const person = { ...newPerson(), id: 'my-own_id' }
  assert.equal(userOf(await ask('POST /users', { body: person }), 201).id, 'my-own_id')
  const again = await ask('POST /users', { body: { ...newPerson(), id: 'my-own_id' } })
  assert.deepEqual(assertProblem(again, 409, 'id_taken'), ['id'])
  const same = await ask('POST /users', { body: person })
  assertProblem(same, 409, 'id_taken')
})

test('bad input names the field, and nothing is made', async () => {
  const person = newPerson()
  const cases: [unknown, string][] = [
    [{ ...person, role: 'admin' }, 'role'],
    [{ ...person, created_at: '2030-01-01T00:00:00Z' }, 'created_at'],
    [{ ...person, email: 'nobody' }, 'email'],
    [{ ...person, email: 'a\u0000b@shop.test' }, 'email'],
    [{ ...person, email: `${'a'.repeat(250)}@shop.test` }, 'email'],
    [{ ...person, email: 7 }, 'email'],
    [{ ...person, password: 'short' }, 'password'],
    [{ ...person, password: 'x'.repeat(201) }, 'password'],
    [{ ...person, password: undefined }, 'password'],
    [{ ...person, name: '' }, 'name'],
    [{ ...person, name: ' \t ' }, 'name'],
    [{ ...person, name: 'a\u0000' }, 'name'],
    [{ ...person, name: '\ud800' }, 'name'],
    [{ ...person, name: 'n'.repeat(201) }, 'name'],
    [{ ...person, id: 'no spaces' }, 'id'],
    [{ ...person, id: 'i'.repeat(65) }, 'id'],
    [[], 'body'],
    ['null', 'body'],
  ]
  for (const [body, field] of cases) {
    const answer = await ask('POST /users', { body })
    assert.ok(assertProblem(answer, 400, 'invalid').includes(field), answer.text)
  }
  for (const body of ['{"email":', '['.repeat(100_000), '']) {
    const answer = await ask('POST /users', { body })
    assert.equal(answer.status, 400, answer.text)
  }
  const huge = await ask('POST /users', { body: { ...person, name: 'x'.repeat(300_000) } })
  assertProblem(huge, 413, 'too_large')
  const rows = await database.db.query('select from users where email = $1', [person.email])
  assert.equal(rows.length, 0)
})

test('an admin makes an account without a password; with one’s own token nobody else does', async () => {
  const { email, name } = newPerson()
  const customer = await register()
  for (const token of [undefined, customer.token]) {
    const refused = await ask('POST /users', { body: { email, name }, token })
    assert.deepEqual(assertProblem(refused, 400, 'invalid'), ['password'])
  }
  userOf(await ask('POST /users', { body: { email, name }, token: adminToken }), 201)
  const login = await ask('POST /sessions', { body: { email, password: 'anything at all' } })
  assertProblem(login, 401, 'invalid_credentials')
})

test('an account is read by its owner and by admins; for others it is not there', async () => {
  const [ada, bob] = [await register(), await register()]
  const path = `GET /users/${ada.id}`
  assert.equal(userOf(await ask(path, { token: ada.token }), 200).email, ada.email)
  assert.equal(userOf(await ask(path, { token: adminToken }), 200).id, ada.id)
  assertProblem(await ask(path, { token: bob.token }), 404, 'not_found')
  assertProblem(await ask(path), 401, 'unauthenticated')
  for (const id of ['usr_unknown', '%00', 'a%20b', 'x'.repeat(500)]) {
    const answer = await ask(`GET /users/${id}`, { token: adminToken })
    assertProblem(answer, 404, 'not_found')
    assert.match(answer.text, /"error":"User not found"/)
  }
})

test('admins list accounts, newest first, a page at a time, and find one by e-mail', async () => {
  const made = [await register(), await register(), await register()]
  const pageSchema = z.object({
    data: z.array(z.object({ id: z.string() })),
    next_cursor: z.string().nullable(),
  })
  const seen: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const query = cursor === '' ? '' : `&cursor=${cursor}`
    const answer = await ask(`GET /users?limit=2${query}`, { token: adminToken })
    const page = pageSchema.parse(answer.body)
    assert.ok(page.data.length <= 2)
    seen.push(...page.data.map(({ id }) => id))
    cursor = page.next_cursor
  }
  assert.deepEqual(seen.slice(0, 3), made.map(({ id }) => id).toReversed())
  assert.equal(new Set(seen).size, seen.length)
  const email = made[1]?.email.toUpperCase() ?? ''
  const found = await ask(`GET /users?email=${email}`, { token: adminToken })
  assert.deepEqual(
    pageSchema.parse(found.body).data.map(({ id }) => id),
    [made[1]?.id],
  )
  assertProblem(await ask('GET /users', { token: made[0]?.token }), 403, 'forbidden')
  assertProblem(await ask('GET /users'), 401, 'unauthenticated')
  for (const query of ['limit=0', 'limit=101', 'limit=x', 'cursor=zzz', 'cursor=WzFlOTld']) {
    const answer = await ask(`GET /users?${query}`, { token: adminToken })
    assert.deepEqual(assertProblem(answer, 400, 'invalid'), [query.split('=')[0]])
  }
})

test('an account is changed field by field, and tells which changed, not to what', async () => {
  const ada = await register()
  const path = `PUT /users/${ada.id}`
  await clock.advance(1_000)
  const renamed = userOf(await ask(path, { token: ada.token, body: { name: 'Ada L.' } }), 200)
  assert.deepEqual([renamed.name, renamed.email], ['Ada L.', ada.email])
  assert.ok(renamed.updated_at > ada.updated_at)
  const email = `NEW.${ada.email}`
  const moved = userOf(await ask(path, { token: adminToken, body: { email } }), 200)
  assert.equal(moved.email, email.toLowerCase())
  userOf(await ask(path, { token: ada.token, body: {} }), 200)
  assert.deepEqual(await eventsOf(ada.id), [
    { type: 'user.registered.v1', data: { user_id: ada.id, role: 'customer' } },
    { type: 'user.updated.v1', data: { user_id: ada.id, role: 'customer', changed: ['name'] } },
    { type: 'user.updated.v1', data: { user_id: ada.id, role: 'customer', changed: ['email'] } },
  ])
})

test('what an update must not set is refused, and so is another’s account', async () => {
  const [ada, bob] = [await register(), await register()]
  const path = `PUT /users/${ada.id}`
  const role = await ask(path, { token: ada.token, body: { role: 'admin' } })
  assert.deepEqual(assertProblem(role, 400, 'invalid'), ['role'])
  const taken = await ask(path, { token: ada.token, body: { email: bob.email } })
  assert.deepEqual(assertProblem(taken, 409, 'email_taken'), ['email'])
  assertProblem(await ask(path, { token: bob.token, body: { name: 'X' } }), 404, 'not_found')
  assertProblem(await ask(path, { body: { name: 'X' } }), 401, 'unauthenticated')
  const unknown = await ask('PUT /users/usr_none', { token: adminToken, body: { name: 'X' } })
  assertProblem(unknown, 404, 'not_found')
})

test('one’s own password needs the current one, and its change ends the other sessions', async () => {
  const ada = await register()
  const other = await logIn(ada)
  const path = `PUT /users/${ada.id}`
  const password = 'another secret'
  const missing = await ask(path, { token: ada.token, body: { password } })
  assert.deepEqual(assertProblem(missing, 400, 'invalid'), ['current_password'])
  const wrong = await ask(path, { token: ada.token, body: { password, current_password: 'guess' } })
  assert.deepEqual(assertProblem(wrong, 403, 'wrong_password'), ['current_password'])
  const body = { password, current_password: ada.password }
  userOf(await ask(path, { token: ada.token, body }), 200)
  userOf(await ask(`GET /users/${ada.id}`, { token: ada.token }), 200)
  const elsewhere = await ask(`GET /users/${ada.id}`, { token: other.access_token })
  assertProblem(elsewhere, 401, 'session_ended')
  const refresh = await ask('POST /sessions/refresh', {
    body: { refresh_token: other.refresh_token },
  })
  assertProblem(refresh, 401, 'invalid_refresh_token')
  assertProblem(await ask('POST /sessions', { body: ada }), 400, 'invalid')
  const { email } = ada
  const old = await ask('POST /sessions', { body: { email, password: ada.password } })
  assertProblem(old, 401, 'invalid_credentials')
  await logIn({ email, password })
})

test('an admin sets a forgotten password without the old one; all sessions of that user end', async () => {
  const ada = await register()
  const body = { password: 'given by admin' }
  userOf(await ask(`PUT /users/${ada.id}`, { token: adminToken, body }), 200)
  assertProblem(await ask(`GET /users/${ada.id}`, { token: ada.token }), 401, 'session_ended')
  await logIn({ email: ada.email, password: body.password })
  const own = await ask('GET /users?limit=1', { token: adminToken })
  assert.equal(own.status, 200)
})

test('rule 22: an erased account is a tombstone: no data, no log-in, no refresh, its id never again', async () => {
  const person = newPerson()
  const key = { 'idempotency-key': 'erase-me' }
  const ada = userOf(await ask('POST /users', { body: person, headers: key }), 201)
  const session = await logIn(person)
  const bob = await register()
  const path = `DELETE /users/${ada.id}`
  assertProblem(await ask(path, { token: bob.token }), 404, 'not_found')
  assertProblem(await ask(path), 401, 'unauthenticated')
  const erased = await ask(path, { token: session.access_token })
  assert.equal(erased.status, 200)
  assert.deepEqual(erased.body, { message: 'User deleted' })

  assertProblem(await ask(path, { token: session.access_token }), 401, 'session_ended')
  assertProblem(await ask(path, { token: adminToken }), 404, 'not_found')
  assertProblem(await ask(`GET /users/${ada.id}`, { token: adminToken }), 404, 'not_found')
  const { email, password } = person
  assertProblem(
    await ask('POST /sessions', { body: { email, password } }),
    401,
    'invalid_credentials',
  )
  const refreshed = await ask('POST /sessions/refresh', {
    body: { refresh_token: session.refresh_token },
  })
  assertProblem(refreshed, 401, 'invalid_refresh_token')
  const again = await ask('POST /users', { body: { ...newPerson(), id: ada.id } })
  assertProblem(again, 409, 'id_taken')

  const kept = await database.db.query<{ everything: string }>(
    `select row_to_json(u)::text as everything from users u where id = $1
     union all select row_to_json(k)::text from idempotency_keys k
     union all select row_to_json(e)::text from (select data from outbox union all
       select data from events) e`,
    [ada.id],
  )
  const everything = kept.map((row) => row.everything).join('\n')
  assert.ok(!everything.includes(email))
  assert.match(everything, /"erased_at":"2030/)
  assert.deepEqual((await eventsOf(ada.id)).at(-1), {
    type: 'user.erased.v1',
    data: { user_id: ada.id, role: 'customer' },
  })
})

test('the e-mail of an erased account may be registered again; a late repeat of its key revives nothing', async () => {
  const person = newPerson()
  const headers = { 'idempotency-key': 'come-back' }
  const first = userOf(await ask('POST /users', { body: person, headers }), 201)
  await ask(`DELETE /users/${first.id}`, { token: adminToken })
  assertProblem(await ask('POST /users', { body: person, headers }), 409, 'id_taken')
  const second = userOf(await ask('POST /users', { body: person }), 201)
  assert.notEqual(second.id, first.id)
})

test('the OpenAPI document describes every route', async () => {
  const answer = await ask('GET /openapi.json')
  const { paths } = z.object({ paths: z.record(z.string(), z.unknown()) }).parse(answer.body)
  assert.deepEqual(Object.keys(paths).toSorted(), [
    '/.well-known/jwks.json',
    '/events',
    '/events/set-aside',
    '/events/set-aside/replay',
    '/events/subscribers',
    '/guests',
    '/sessions',
    '/sessions/current',
    '/sessions/refresh',
    '/users',
    '/users/{id}',
    '/users/{id}/claim',
  ])
  assert.equal((await ask('GET /health/ready')).status, 200)
  assert.equal(sessionOf(await ask('POST /sessions', { body: ADMIN }), 201).user.role, 'admin')
})
