/** Owns the proof of guests: who comes without an account reveals nobody, gets in nowhere, and may stay. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Transaction, Tx } from '@quartet/kit/postgres'
import {
  assertProblem,
  createUsersDatabase,
  newPerson,
  openUsers,
  sessionOf,
  userOf,
} from '../app.fixture.ts'
import { updateUsers } from '../actions.ts'
import { MAX_LOGIN_FAILURES } from '../domain.ts'
import { sweepOnce } from '../sessions/retention.ts'

const database = await createUsersDatabase()
const { ask, logIn, app, clock, world } = openUsers(database)
before(() => app.start())
after(async () => {
  await app.stop()
  await database.drop()
})

const PASSWORD = 'a secret of mine'

async function register() {
  const person = newPerson()
  const { id } = userOf(await ask('POST /users', { body: person }), 201)
  return { ...person, id }
}

async function welcome({ email, name }: { email: string; name: string } = newPerson()) {
  const session = sessionOf(await ask('POST /guests', { body: { email, name } }), 201)
  return { ...session.user, token: session.access_token, refreshToken: session.refresh_token }
}

const claim = (guest: { id: string; token: string }, password = PASSWORD, key?: string) =>
  ask(`POST /users/${guest.id}/claim`, {
    token: guest.token,
    body: { password },
    headers: key === undefined ? {} : { 'idempotency-key': key },
  })

const eventsOf = (id: string) =>
  database.db.query<{ type: string; data: unknown }>(
    `select type, data from outbox where subject = $1 union all
     select type, data from events where subject = $1`,
    [id],
  )

const logInAnswer = (email: string, password: string) =>
  ask('POST /sessions', { body: { email, password } })

test('a guest gets a session by an e-mail and a name, and no way to log in', async () => {
  const person = newPerson()
  const guest = await welcome(person)
  assert.deepEqual([guest.email, guest.name], [person.email, person.name])
  assert.deepEqual([guest.role, guest.guest], ['customer', true])
  const seen = userOf(await ask(`GET /users/${guest.id}`, { token: guest.token }), 200)
  assert.deepEqual([seen.id, seen.guest], [guest.id, true])
  const body = { refresh_token: guest.refreshToken }
  assert.equal(sessionOf(await ask('POST /sessions/refresh', { body }), 200).user.guest, true)
  assertProblem(await logInAnswer(person.email, person.password), 401, 'invalid_credentials')
  assert.deepEqual(await eventsOf(guest.id), [
    {
      type: 'user.registered.v1',
      data: { user_id: guest.id, role: 'customer' },
    },
  ])
})

test('what a guest must not say is refused, and no role, id or password can be asked for', async () => {
  const person = { email: 'someone@shop.test', name: 'Someone' }
  const cases: [unknown, string][] = [
    [{ name: 'Someone' }, 'email'],
    [{ ...person, email: 'nowhere' }, 'email'],
    [{ email: person.email }, 'name'],
    [{ ...person, name: ' ' }, 'name'],
    [{ ...person, role: 'admin' }, 'role'],
    [{ ...person, id: 'usr_mine' }, 'id'],
    [{ ...person, password: PASSWORD }, 'password'],
    [{ ...person, guest: false }, 'guest'],
  ]
  for (const [body, field] of cases) {
    assert.deepEqual(assertProblem(await ask('POST /guests', { body }), 400, 'invalid'), [field])
  }
})

test('the e-mail of an account gives a guest like all others, and touches the account in nothing', async () => {
  const ada = await register()
  const statements: string[] = []
  const listening = <Each extends Tx>(tx: Each): Each => ({
    ...tx,
    query: <Row>(text: string, values?: unknown[]) => {
      statements.push(text)
      return tx.query<Row>(text, values)
    },
  })
  const transaction = <Result>(work: (tx: Transaction) => Promise<Result>) =>
    database.db.transaction((tx) => work(listening(tx)))
  const shop = openUsers({ db: { ...listening(database.db), transaction } })
  const shapes = []
  for (const email of [ada.email, newPerson().email]) {
    const answer = await shop.ask('POST /guests', { body: { email, name: 'A. Nother' } })
    const { user } = sessionOf(answer, 201)
    assert.notEqual(user.id, ada.id)
    assert.equal(user.name, 'A. Nother')
    const ofValues = (_key: string, value: unknown) =>
      typeof value === 'string' ? value.length : value
    shapes.push(JSON.stringify({ ...user, email: '' }, ofValues))
  }
  assert.equal(shapes[0], shapes[1])
  assert.ok(statements.some((text) => text.includes('into users')))
  assert.ok(!statements.some((text) => /email = /.test(text)), 'it looks for the e-mail')
  const again = await logIn(ada)
  assert.deepEqual([again.user.id, again.user.name], [ada.id, ada.name])
})

test('one e-mail has as many guests as ask, each of their own, with the same key too', async () => {
  const { email, name } = newPerson()
  const headers = { 'idempotency-key': 'one' }
  const ids = new Set<string>()
  for (let n = 0; n < 3; n += 1) {
    const answer = await ask('POST /guests', { body: { email, name }, headers })
    assert.equal(answer.headers.get('idempotent-replayed'), null)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    ids.add(sessionOf(answer, 201).user.id)
  }
  assert.equal(ids.size, 3)
  // Nor do they keep anybody from registering.
  assert.equal(
    userOf(await ask('POST /users', { body: { ...newPerson(), email } }), 201).email,
    email,
  )
})

test('a claimed guest logs in as anybody does, under its old id; its session goes on, others end', async () => {
  const guest = await welcome()
  const body = { refresh_token: guest.refreshToken }
  const second = sessionOf(await ask('POST /sessions/refresh', { body }), 200)
  await database.db.query(
    `insert into sessions (id, user_id, generation, issued, rotated_at, created_at)
     values ('ses_elsewhere', $1, 1, 1, $2, $2)`,
    [guest.id, new Date(0)],
  )
  const user = userOf(await claim(guest), 200)
  assert.deepEqual([user.id, user.guest, user.email], [guest.id, false, guest.email])
  const session = await logIn({ email: guest.email, password: PASSWORD })
  assert.deepEqual([session.user.id, session.user.guest], [guest.id, false])
  userOf(await ask(`GET /users/${guest.id}`, { token: second.access_token }), 200)
  const [elsewhere] = await database.db.query<{ revoke_reason: string }>(
    `select revoke_reason from sessions where id = 'ses_elsewhere'`,
  )
  assert.equal(elsewhere?.revoke_reason, 'password_changed')
  const said = (await eventsOf(guest.id)).filter(({ type }) => type === 'user.updated.v1')
  assert.deepEqual(said, [
    {
      type: 'user.updated.v1',
      data: { user_id: guest.id, role: 'customer', changed: ['guest', 'password'] },
    },
  ])
})

test('a claim is its guest’s alone: for others, admins too, there is no such user', async () => {
  const [guest, other] = [await welcome(), await welcome()]
  assertProblem(await claim({ id: guest.id, token: other.token }), 404, 'not_found')
  const admin = await logIn({ email: 'root@shop.test', password: 'correct horse' })
  assertProblem(await claim({ id: guest.id, token: admin.access_token }), 404, 'not_found')
  assertProblem(await claim({ id: 'usr_none', token: other.token }), 404, 'not_found')
  const anonymous = await ask(`POST /users/${guest.id}/claim`, { body: { password: PASSWORD } })
  assertProblem(anonymous, 401, 'unauthenticated')
  assert.deepEqual(assertProblem(await claim(guest, 'short'), 400, 'invalid'), ['password'])
  userOf(await claim(guest), 200)
})

test('an e-mail that an account has cannot be claimed; with another one it can', async () => {
  const ada = await register()
  const guest = await welcome({ email: ada.email, name: 'Ada' })
  const refused = await claim(guest)
  assert.deepEqual(assertProblem(refused, 409, 'email_taken'), ['email'])
  assert.match(refused.text, /Log in to that account, or give this one another address/)
  await logIn(ada)
  const email = newPerson().email
  const moved = await ask(`PUT /users/${guest.id}`, { token: guest.token, body: { email } })
  assert.equal(userOf(moved, 200).guest, true)
  assert.equal(userOf(await claim(guest), 200).email, email)
})

test('a guest may take any e-mail, an account only a free one', async () => {
  const [ada, bob, guest] = [await register(), await register(), await welcome()]
  const to = (email: string) => ({ token: guest.token, body: { email } })
  userOf(await ask(`PUT /users/${guest.id}`, to(ada.email)), 200)
  userOf(await ask(`PUT /users/${guest.id}`, to(newPerson().email)), 200)
  userOf(await claim(guest), 200)
  assertProblem(await ask(`PUT /users/${guest.id}`, to(bob.email)), 409, 'email_taken')
})

test('in a batch too an e-mail is taken by accounts alone, and by the first of two guests who claim it', async () => {
  const { email, name } = newPerson()
  const [one, two, writes, ada] = [
    await welcome({ email, name }),
    await welcome({ email, name }),
    await welcome(),
    await register(),
  ]
  const free = newPerson().email
  const claims = [one, two].map(({ id }) => ({
    id,
    changes: { passwordHash: '$argon2id$1', guest: false as const },
    ifGuest: true,
  }))
  const outcomes = await updateUsers(world, [
    ...claims,
    { id: writes.id, changes: { email: free } },
    { id: ada.id, changes: { email: free } },
  ])
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['updated', 'email_taken', 'updated', 'updated'],
  )
})

test('8 claims of one guest at once, with other passwords: one is the password, all others are told', async () => {
  const shop = openUsers(database, { real: true })
  const guest = sessionOf(
    await shop.ask('POST /guests', { body: { email: 'race@shop.test', name: 'R' } }),
    201,
  )
  const answers = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      const password = `${PASSWORD} ${n}`
      const asked = { token: guest.access_token, body: { password } }
      return { password, answer: await shop.ask(`POST /users/${guest.user.id}/claim`, asked) }
    }),
  )
  const won = answers.filter(({ answer }) => answer.status === 200)
  assert.equal(won.length, 1)
  for (const { answer } of answers) {
    if (answer.status !== 200) assertProblem(answer, 409, 'already_claimed')
  }
  await logIn({ email: 'race@shop.test', password: won[0]?.password ?? '' })
})

test('guests of one e-mail who claim it at once, while it is registered too: one account has it', async () => {
  const shop = openUsers(database, { real: true })
  const { email, name } = newPerson()
  const guests = await Promise.all(
    Array.from({ length: 6 }, async () =>
      sessionOf(await shop.ask('POST /guests', { body: { email, name } }), 201),
    ),
  )
  const answers = await Promise.all([
    ...guests.map(({ user, access_token: token }) =>
      shop.ask(`POST /users/${user.id}/claim`, { token, body: { password: PASSWORD } }),
    ),
    shop.ask('POST /users', { body: { email, name, password: PASSWORD } }),
  ])
  const made = answers.filter(({ status }) => status < 300)
  assert.equal(made.length, 1)
  for (const answer of answers) if (answer.status > 300) assertProblem(answer, 409, 'email_taken')
  await logIn({ email, password: PASSWORD })
})

test('rule 17: a claim that is asked again, with its key or without, has one effect and its answer', async () => {
  const guest = await welcome()
  const first = userOf(await claim(guest, PASSWORD, 'claim-1'), 200)
  const replayed = await claim(guest, PASSWORD, 'claim-1')
  assert.equal(replayed.headers.get('idempotent-replayed'), 'true')
  assert.deepEqual(userOf(replayed, 200), first)
  assertProblem(await claim(guest, 'another secret', 'claim-1'), 422, 'idempotency_key_reused')
  assert.deepEqual(userOf(await claim(guest), 200), first) // its answer was lost
  assertProblem(await claim(guest, 'another secret'), 409, 'already_claimed')
  assert.equal((await eventsOf(guest.id)).length, 2)
})

test('a stolen token serves no better to guess the password than the log-in does', async () => {
  const guest = await welcome()
  userOf(await claim(guest), 200)
  for (let failure = 1; failure <= MAX_LOGIN_FAILURES; failure += 1) {
    assertProblem(await claim(guest, `guess number ${failure}`), 409, 'already_claimed')
  }
  assertProblem(await claim(guest, PASSWORD), 429, 'too_many_failures')
  assertProblem(await logInAnswer(guest.email, PASSWORD), 429, 'too_many_failures')
})

test('a guest with another’s e-mail can neither guess their password, nor lock them out, nor free their guesses', async () => {
  const ada = await register()
  const guest = await welcome({ email: ada.email, name: 'Mallory' })
  const body = { password: 'my new secret', current_password: ada.password }
  for (let n = 0; n <= MAX_LOGIN_FAILURES; n += 1) {
    const answer = await ask(`PUT /users/${guest.id}`, { token: guest.token, body })
    assert.deepEqual(assertProblem(answer, 409, 'guest_account'), ['password'])
  }
  await logIn(ada)
  const admin = await logIn({ email: 'root@shop.test', password: 'correct horse' })
  const byAdmin = { token: admin.access_token, body: { password: 'set by an admin' } }
  assertProblem(await ask(`PUT /users/${guest.id}`, byAdmin), 409, 'guest_account')
  for (let n = 0; n < MAX_LOGIN_FAILURES; n += 1) await logInAnswer(ada.email, 'guess')
  const erased = await ask(`DELETE /users/${guest.id}`, { token: guest.token })
  assert.equal(erased.status, 200)
  assertProblem(await logInAnswer(ada.email, 'guess'), 429, 'too_many_failures')
})

test('an erased guest leaves nothing behind, nor does the kept answer of its claim', async () => {
  const guest = await welcome({ email: 'forgotten@shop.test', name: 'Forgotten' })
  userOf(await claim(guest, PASSWORD, 'kept'), 200)
  assert.equal((await ask(`DELETE /users/${guest.id}`, { token: guest.token })).status, 200)
  for (const table of ['users', 'idempotency_keys', 'outbox', 'events', 'login_failures']) {
    const rows = await database.db.query(`select from ${table} t where t::text ilike '%forgotten%'`)
    assert.equal(rows.length, 0, table)
  }
})

test('a guest whom no session leads to any more is erased after a year; who has one, or an account, stays', async () => {
  const [lost, late, back, claimed] = [
    await welcome(),
    await welcome(),
    await welcome(),
    await welcome(),
  ]
  userOf(await claim(claimed), 200)
  const daysAgo = (days: number) => new Date(clock.now() - days * 86_400_000)
  const came = (guest: { id: string }, days: number) =>
    database.db.query('update users set created_at = $2 where id = $1', [guest.id, daysAgo(days)])
  for (const guest of [lost, back, claimed]) await came(guest, 366)
  await came(late, 364)
  const ids = [lost, late, claimed].map(({ id }) => id)
  await database.db.query('delete from sessions where user_id = any($1)', [ids])
  await sweepOnce(world, (email) => email)
  const living = await database.db.query<{ id: string }>(
    'select id from users where id = any($1) and erased_at is null order by position',
    [[...ids, back.id]],
  )
  assert.deepEqual(
    living.map(({ id }) => id),
    [late.id, back.id, claimed.id],
  )
  assert.equal((await eventsOf(lost.id)).at(-1)?.type, 'user.erased.v1')
})
