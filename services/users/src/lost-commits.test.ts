/** Proves rule 16 for every write of users: a commit whose answer is lost has one effect, and a right answer. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { whileAdvancing } from '@quartet/kit/testing'
import { createLossyDatabase, losingEachCommit } from '@quartet/kit/testing/lossy-postgres'
import {
  assertProblem,
  createUsersDatabase,
  newPerson,
  openUsers,
  sessionOf,
  userOf,
  type Answer,
} from './app.fixture.ts'
import { MAX_LOGIN_FAILURES } from './domain.ts'

const database = await createUsersDatabase()
const lossy = await createLossyDatabase(database)
const { ask, clock } = openUsers(lossy) // whose commits are lost
const sound = openUsers(database)
await sound.app.start()
after(async () => {
  await sound.app.stop()
  await lossy.close()
  await database.drop()
})

// As clients do: what is told as unavailable or still running is asked again, in the same words.
async function until(...request: Parameters<typeof ask>): Promise<Answer> {
  for (let tries = 0; tries < 10; tries += 1) {
    const answer = await whileAdvancing(clock, ask(...request))
    if (answer.status !== 503 && !answer.text.includes('request_in_progress')) return answer
    if (answer.status === 409) await clock.advance(5_001) // the rest of the key's lease
  }
  return assert.fail(`no answer of ${request[0]}`)
}

async function register() {
  const person = newPerson()
  return { ...person, ...userOf(await sound.ask('POST /users', { body: person }), 201) }
}

const saidOf = (id: string) =>
  database.db.query(
    `select from outbox where subject = $1 union all select from events where subject = $1`,
    [id],
  )

test('rules 16, 17: a keyed registration whose commits are lost makes one account', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const body = newPerson()
    const headers = { 'idempotency-key': `register-${run}` }
    const user = userOf(await until('POST /users', { body, headers }), 201)
    assert.deepEqual(userOf(await until('POST /users', { body, headers }), 201), user, run)
    assert.equal((await saidOf(user.id)).length, 1, run)
    await sound.logIn(body)
  })
  // The claim of the key, the account, the answer of the key: each as asked for, and as answered.
  assert.ok(losses >= 5, `${losses} lost`)
})

test('rule 22: a refresh whose commit is lost is asked again by the same token, and revokes nothing', async () => {
  const ada = await register()
  const losses = await losingEachCommit(lossy, async () => {
    const { refresh_token } = await sound.logIn(ada)
    const body = { refresh_token }
    const pair = sessionOf(await until('POST /sessions/refresh', { body }), 200)
    userOf(await sound.ask(`GET /users/${ada.id}`, { token: pair.access_token }), 200)
    const next = { body: { refresh_token: pair.refresh_token } }
    sessionOf(await sound.ask('POST /sessions/refresh', next), 200)
  })
  assert.ok(losses >= 2, `${losses} lost`)
})

test('rule 16: a log-in whose commit is lost is asked again and works', async () => {
  const ada = await register()
  const { email, password } = ada
  const losses = await losingEachCommit(lossy, async () => {
    const session = sessionOf(await until('POST /sessions', { body: { email, password } }), 201)
    userOf(await sound.ask(`GET /users/${ada.id}`, { token: session.access_token }), 200)
  })
  assert.ok(losses >= 2, `${losses} lost`)
})

test('rule 16: a wrong password whose count is lost is refused, and locks no later than ten', async () => {
  const { email, password } = await register()
  const guess = { body: { email, password: 'guess' } }
  for (let failure = 1; failure <= MAX_LOGIN_FAILURES; failure += 1) {
    if (failure === 3) lossy.lose('answered')
    const answer = await ask('POST /sessions', guess)
    assert.equal(answer.status, failure === 3 ? 503 : 401, answer.text)
  }
  assert.ok(lossy.wasLost())
  const locked = await sound.ask('POST /sessions', { body: { email, password } })
  assertProblem(locked, 429, 'too_many_failures')
})

test('rule 16: a change whose commit is lost is made and said once', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const ada = await register()
    const { access_token: token } = await sound.logIn(ada)
    const body = { email: `changed-${run.toLowerCase()}@shop.test` }
    const changed = userOf(await until(`PUT /users/${ada.id}`, { body, token }), 200)
    assert.equal(changed.email, body.email, run)
    assert.equal((await saidOf(ada.id)).length, 2, run)
  })
  assert.ok(losses >= 2, `${losses} lost`)
})

test('rule 16: a guest whose commit is lost is asked for again, and each that was made is whole', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const body = { email: `guest-${run.toLowerCase()}@shop.test`, name: 'Guest' }
    const guest = sessionOf(await until('POST /guests', { body }), 201)
    const path = `GET /users/${guest.user.id}`
    userOf(await sound.ask(path, { token: guest.access_token }), 200)
    const rows = await database.db.query<{ id: string }>(
      `select users.id from users join sessions on user_id = users.id where email = $1`,
      [body.email],
    )
    for (const { id } of rows) assert.equal((await saidOf(id)).length, 1, run)
    assert.ok(rows.length <= 2, run)
  })
  assert.ok(losses >= 2, `${losses} lost`)
})

test('rules 16, 17: a claim whose commits are lost is made and said once', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const { email, name, password } = newPerson()
    const guest = sessionOf(await sound.ask('POST /guests', { body: { email, name } }), 201)
    const { id } = guest.user
    const asked = { body: { password }, token: guest.access_token }
    const headers = { 'idempotency-key': `claim-${run}` }
    const user = userOf(await until(`POST /users/${id}/claim`, { ...asked, headers }), 200)
    assert.deepEqual([user.id, user.guest], [id, false], run)
    assert.equal((await saidOf(id)).length, 2, run)
    await sound.logIn({ email, password })
  })
  assert.ok(losses >= 4, `${losses} lost`)
})

test('rules 16, 22: an erasure whose commit is lost erases, once', async () => {
  const losses = await losingEachCommit(lossy, async (run) => {
    const ada = await register()
    const { access_token: token } = await sound.logIn(ada)
    const answer = await until(`DELETE /users/${ada.id}`, { token })
    // Who asks again after it was done is nobody any more.
    if (answer.status !== 200) assertProblem(answer, 401, 'session_ended')
    assert.equal((await saidOf(ada.id)).length, 2, run)
    const again = { body: { ...newPerson(), id: ada.id } }
    assertProblem(await sound.ask('POST /users', again), 409, 'id_taken')
  })
  assert.ok(losses >= 2, `${losses} lost`)
})

test('rule 22: a signing key whose commit is lost is made once', async () => {
  const fresh = await createUsersDatabase()
  const losing = await createLossyDatabase(fresh)
  try {
    const losses = await losingEachCommit(losing, async (run) => {
      await fresh.db.query('delete from signing_keys')
      const replica = openUsers(losing)
      const jwks = () => replica.ask('GET /.well-known/jwks.json')
      const first = await jwks()
      const answer = first.status === 200 ? first : await jwks()
      const { keys } = answer.body as { keys: { kid: string }[] }
      assert.equal(keys.length, 1, run)
      const stored = await fresh.db.query<{ kid: string }>('select kid from signing_keys')
      assert.deepEqual(
        stored.map(({ kid }) => kid),
        keys.map(({ kid }) => kid),
      )
    })
    assert.ok(losses >= 2, `${losses} lost`)
  } finally {
    await losing.close()
    await fresh.drop()
  }
})
