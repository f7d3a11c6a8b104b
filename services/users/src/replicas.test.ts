/** Proves what two replicas of users do to each other: nothing, and together no more than one would. */
import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { createAuthenticator } from '@quartet/kit/auth'
import { createKeySets } from '@quartet/kit/key-sets'
import {
  createTestClock,
  createTestNetwork,
  createTestWorld,
  whileAdvancing,
} from '@quartet/kit/testing'
import { createLossyDatabase } from '@quartet/kit/testing/lossy-postgres'
import {
  assertProblem,
  createUsersDatabase,
  newPerson,
  openUsers,
  sessionOf,
  testConfig,
  userOf,
} from './app.fixture.ts'
import { MAX_ISSUED, MAX_LOGIN_FAILURES, REFRESH_GRACE_MS, type User } from './domain.ts'
import { openSessions, refreshSessions } from './sessions/actions.ts'
import { registerUsers } from './actions.ts'

const database = await createUsersDatabase()
const lossy = await createLossyDatabase(database)
const clock = createTestClock()
const config = { KEY_ROTATION_S: 1_800 }
// A replica reads the keys again when it asks for them and a minute has passed: here every other step.
const STEP_MS = 35_000
const first = openUsers(database, { clock, config })
const second = openUsers(database, { clock, config })
const freezing = openUsers(lossy, { clock, config })
const replicas = [first, second]
after(async () => {
  await lossy.close()
  await database.drop()
})
beforeEach(() => lossy.wasLost())

const meanwhile = <Result>(promise: Promise<Result>) => whileAdvancing(clock, promise)

async function register() {
  const person = newPerson()
  return { ...person, ...userOf(await first.ask('POST /users', { body: person }), 201) }
}

const refreshAt = ({ ask }: typeof first, refresh_token: string) =>
  ask('POST /sessions/refresh', { body: { refresh_token } })

test('rule 17: one key at two replicas at once makes one account, and both tell the same', async () => {
  const body = newPerson()
  const headers = { 'idempotency-key': 'both' }
  const answers = await meanwhile(
    Promise.all(replicas.map(({ ask }) => ask('POST /users', { body, headers }))),
  )
  const [one, two] = answers.map((answer) => userOf(answer, 201))
  assert.deepEqual(one, two)
  const rows = await database.db.query('select from users where email = $1', [body.email])
  assert.equal(rows.length, 1)
})

test('wrong passwords are counted over all replicas, and both lock', async () => {
  const { email, password } = await register()
  const guesses = await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      (n % 2 === 0 ? first : second).ask('POST /sessions', { body: { email, password: 'guess' } }),
    ),
  )
  const refused = guesses.filter(({ status }) => status === 401).length
  const locked = guesses.filter(({ status }) => status === 429).length
  assert.equal(refused + locked, guesses.length)
  // What is being hashed when the tenth fails ends too.
  const atOnce = replicas.length * testConfig.HASH_CONCURRENCY
  assert.ok(refused >= MAX_LOGIN_FAILURES, `${refused} refused`)
  assert.ok(refused < MAX_LOGIN_FAILURES + atOnce, `${refused} refused`)
  const [row] = await database.db.query<{ failures: number }>(
    'select max(failures) as failures from login_failures',
  )
  assert.equal(row?.failures, refused, 'none was lost')
  for (const { ask } of replicas) {
    const answer = await ask('POST /sessions', { body: { email, password } })
    assertProblem(answer, 429, 'too_many_failures')
  }
})

test('rule 22: one refresh token at two replicas at once gives two usable pairs; late reuse ends all of them', async () => {
  const ada = await register()
  const { refresh_token } = await first.logIn(ada)
  const answers = await Promise.all(replicas.map((replica) => refreshAt(replica, refresh_token)))
  const pairs = answers.map((answer) => sessionOf(answer, 200))
  for (const [n, { access_token: token }] of pairs.entries()) {
    const other = replicas[1 - n] ?? first
    userOf(await other.ask(`GET /users/${ada.id}`, { token }), 200)
  }
  await clock.advance(REFRESH_GRACE_MS + 1)
  assertProblem(await refreshAt(second, refresh_token), 401, 'refresh_token_reused')
  for (const pair of pairs) {
    assertProblem(await refreshAt(first, pair.refresh_token), 401, 'invalid_refresh_token')
    const answer = await first.ask(`GET /users/${ada.id}`, { token: pair.access_token })
    assertProblem(answer, 401, 'session_ended')
  }
})

test('rule 22: within the grace a family forks no further at two replicas than at one', async () => {
  const { refresh_token } = await first.logIn(await register())
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => refreshAt(n % 2 === 0 ? first : second, refresh_token)),
  )
  assert.equal(answers.filter(({ status }) => status === 200).length, MAX_ISSUED)
})

const kidOf = (token: string) =>
  String(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid)

test('rule 22: while keys rotate, a token of either replica is good at the other and at any service', async () => {
  const ada = await register()
  let answering = first
  const network = createTestNetwork({
    'http://users.test': (request) => answering.app.fetch(request),
  })
  const world = createTestWorld({ config: {}, db: database.db, clock, fetch: network })
  const keySets = createKeySets(world, { users: 'http://users.test' })
  const { user } = createAuthenticator(world, { audience: 'products', callers: [], keySets })
  const verify = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    return user(new Request('http://products.test/', { headers }))
  }
  const kids = new Set<string>()
  const one = await first.logIn(ada)
  await clock.advance(STEP_MS) // so that they never read the keys at the same time
  let pairs = [one, await second.logIn(ada)]
  for (let passedMs = 0; passedMs < 3 * config.KEY_ROTATION_S * 1_000; passedMs += STEP_MS) {
    await clock.advance(STEP_MS)
    const refreshed = []
    for (const [n, replica] of replicas.entries()) {
      const pair = sessionOf(await refreshAt(replica, pairs[n]?.refresh_token ?? ''), 200)
      const token = pair.access_token
      answering = replicas[1 - n] ?? first // whoever didn't sign it
      assert.equal((await verify(token)).userId, ada.id, `after ${passedMs} ms`)
      userOf(await answering.ask(`GET /users/${ada.id}`, { token }), 200)
      kids.add(kidOf(token))
      refreshed.push(pair)
    }
    pairs = refreshed
  }
  assert.ok(kids.size >= 3, `${kids.size} keys signed`)
})

test('rules 15, 22: a replica that freezes as it refreshes holds the session for 2 s, and revokes nothing when it wakes', async () => {
  const ada = await register()
  const { refresh_token } = await first.logIn(ada)
  lossy.lose('frozen')
  const frozen = refreshAt(freezing, refresh_token)
  await lossy.frozen(frozen)
  const sinceMs = performance.now()
  const pair = sessionOf(await refreshAt(first, refresh_token), 200)
  assert.ok(performance.now() - sinceMs < 8_000)
  lossy.thaw()
  assertProblem(await frozen, 503, 'database_unavailable')
  sessionOf(await refreshAt(freezing, refresh_token), 200)
  userOf(await second.ask(`GET /users/${ada.id}`, { token: pair.access_token }), 200)
})

test('rules 15, 17: a replica that freezes as it registers is overtaken after 2 s: one account', async () => {
  const body = newPerson()
  const headers = { 'idempotency-key': 'frozen' }
  lossy.lose('frozen') // the key is claimed; the account is not committed
  const frozen = freezing.ask('POST /users', { body, headers })
  await lossy.frozen(frozen)
  const other = await meanwhile(first.ask('POST /users', { body, headers }))
  assertProblem(other, 409, 'request_in_progress')
  await clock.advance(15_001) // the key's lease
  const user = userOf(await meanwhile(first.ask('POST /users', { body, headers })), 201)
  lossy.thaw()
  await meanwhile(frozen)
  const again = await meanwhile(freezing.ask('POST /users', { body, headers }))
  assert.deepEqual(userOf(again, 201), user)
  const said = await database.db.query(
    `select from outbox where subject = $1 union all select from events where subject = $1`,
    [user.id],
  )
  assert.equal(said.length, 1)
})

async function deadlocks(): Promise<number> {
  const [row] = await database.db.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return Number(row?.deadlocks)
}

test('rule 15: sessions opened and refreshed in opposite orders by two replicas never deadlock', async () => {
  const at = new Date(clock.now())
  const users = Array.from({ length: 150 }, (_, n): User => {
    const id = `many_${n}`
    const email = `${id}@shop.test`
    const made = { createdAt: at, updatedAt: at }
    return { id, email, name: id, role: 'customer', passwordHash: null, guest: false, ...made }
  })
  await registerUsers(first.world, users)
  const expiresAt = new Date(clock.now() + 86_400_000)
  const deadlocksBefore = await deadlocks()
  const opened = users.map((user) => ({
    sessionId: `ses_${user.id}`,
    user,
    tokenHash: `hash_${user.id}`,
    expiresAt,
    account: user.id,
  }))
  await openSessions(first.world, opened)
  for (const round of [1, 2]) {
    const commandsOf = (name: string) =>
      users.map(({ id }) => ({
        tokenHash: `hash_${id}`,
        next: { tokenHash: `${name}_${round}_${id}`, expiresAt },
      }))
    const answers = await Promise.all([
      refreshSessions(first.world, commandsOf('one')),
      refreshSessions(second.world, commandsOf('two').toReversed()),
    ])
    assert.deepEqual(new Set(answers.flat().map(({ kind }) => kind)), new Set(['granted']))
  }
  assert.equal(await deadlocks(), deadlocksBefore)
})
