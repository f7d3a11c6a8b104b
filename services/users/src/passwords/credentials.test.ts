/** Owns the proof that checking a password tells nothing, costs the same, and is bounded. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Problem } from '@quartet/kit/problem'
import { createUsersDatabase, openUsers } from '../app.fixture.ts'
import { LOGIN_WINDOW_MS, MAX_LOGIN_FAILURES } from '../domain.ts'
import { sweepOnce } from '../sessions/retention.ts'
import { createCredentials } from './credentials.ts'

const database = await createUsersDatabase()
after(() => database.drop())

/** Credentials whose hashing is free, counted, and right for the password `right` alone. */
function openCredentials(concurrency = 1) {
  const { world, clock } = openUsers(database, { config: { HASH_CONCURRENCY: concurrency } })
  const verified: string[] = []
  let most = 0
  let running = 0
  const work = async <Result>(result: Result) => {
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setImmediate(resolve))
    running -= 1
    return result
  }
  const crypto = {
    ...world.crypto,
    hashPassword: (password: string) => work(`$argon2id$of ${password}`),
    verifyPassword(password: string, phc: string) {
      verified.push(phc)
      return work(phc === `$argon2id$of ${password}`)
    },
  }
  const credentials = createCredentials({ ...world, crypto })
  return { ...credentials, verified, mostAtOnce: () => most, clock, world }
}

const insert = (email: string, passwordHash: string | null) =>
  database.db.query(
    `insert into users (id, email, name, role, password_hash, created_at, updated_at)
     values (replace(replace($1, '@', '_'), '.', '_'), $1, 'N', 'customer', $2, $3, $3)`,
    [email, passwordHash, new Date(0)],
  )

const kindsOf = (proofs: { kind: string }[], kind: string) =>
  proofs.filter((proof) => proof.kind === kind).length

test('an unknown e-mail and an account without a password cost one verification too', async () => {
  await insert('ada@cost.test', '$argon2id$of right')
  await insert('blank@cost.test', null)
  const { prove, verified } = openCredentials()
  const wrong = 'an account that does not exist' // what the dummy was made of must not enter
  for (const email of ['ada@cost.test', 'blank@cost.test', 'nobody@cost.test']) {
    verified.length = 0
    assert.deepEqual(await prove(email, wrong), { kind: 'refused' })
    assert.equal(verified.length, 1)
  }
  const right = await prove('ada@cost.test', 'right')
  assert.equal(right.kind, 'accepted')
})

test('64 guesses at once get no further than a row of them', async () => {
  const { prove } = openCredentials()
  const guesses = Array.from({ length: 64 }, () => prove('guessed@cost.test', 'guess'))
  const proofs = await Promise.all(guesses)
  assert.equal(kindsOf(proofs, 'refused'), MAX_LOGIN_FAILURES)
  assert.equal(kindsOf(proofs, 'locked'), 64 - MAX_LOGIN_FAILURES)
})

test('64 right passwords at once are all accepted: only failures count', async () => {
  await insert('busy@cost.test', '$argon2id$of right')
  const { prove } = openCredentials()
  const logIns = Array.from({ length: 64 }, () => prove('busy@cost.test', 'right'))
  const proofs = await Promise.all(logIns)
  assert.equal(kindsOf(proofs, 'accepted'), 64)
})

test('passwords are hashed so many at once, a hundred wait, and more get 503 with Retry-After', async () => {
  const { hash, mostAtOnce } = openCredentials(3)
  const results = await Promise.allSettled(Array.from({ length: 120 }, () => hash('x')))
  assert.equal(mostAtOnce(), 3)
  const refused = results.filter((result) => result.status === 'rejected')
  assert.equal(refused.length, 120 - 3 - 100)
  for (const { reason } of refused) {
    assert.ok(reason instanceof Problem && reason.status === 503 && reason.options.retryAfterS)
  }
  assert.equal(await hash('later'), '$argon2id$of later')
})

test('a work that fails gives its place to the next', async () => {
  const { world } = openUsers(database, { config: { HASH_CONCURRENCY: 1 } })
  const crypto = { ...world.crypto, hashPassword: () => Promise.reject(new Error('no memory')) }
  const { hash } = createCredentials({ ...world, crypto })
  const results = await Promise.allSettled([hash('a'), hash('b'), hash('c')])
  assert.ok(results.every(({ status }) => status === 'rejected'))
  await assert.rejects(hash('d'), /no memory/)
})

test('failures are counted without the e-mail, anew in each window, and swept after it', async () => {
  const { prove, clock, world } = openCredentials()
  const email = 'counted@cost.test'
  const rows = () =>
    database.db.query<{ account: string; failures: number }>(
      'select account, failures from login_failures where window_started_at >= $1',
      [new Date(clock.now() - LOGIN_WINDOW_MS)],
    )
  await database.db.query('delete from login_failures')
  await prove(email, 'guess')
  await prove(email, 'guess')
  const [row] = await rows()
  assert.equal(row?.failures, 2)
  assert.ok(!row?.account.includes('counted'))
  await clock.advance(LOGIN_WINDOW_MS)
  await prove(email, 'guess')
  assert.deepEqual(await rows(), [{ account: row?.account, failures: 1 }])
  await clock.advance(LOGIN_WINDOW_MS)
  await sweepOnce(world, (account) => account)
  assert.equal((await rows()).length, 0)
})
