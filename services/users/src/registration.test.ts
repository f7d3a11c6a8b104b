/** Owns the proof that registering takes effect once: under repeats, races and lost answers. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  assertProblem,
  createUsersDatabase,
  newPerson,
  openUsers,
  userOf,
  type Answer,
} from './app.fixture.ts'
import type { Transaction } from '@quartet/kit/postgres'
import { eraseUsers, registerUsers, updateUsers } from './actions.ts'
import type { User } from './domain.ts'

const database = await createUsersDatabase()
const { ask, world } = openUsers(database, { real: true })
after(() => database.drop())

const copies = (count: number, one: (index: number) => Promise<Answer>) =>
  Promise.all(Array.from({ length: count }, (_, index) => one(index)))

const countUsers = async (email: string) =>
  (await database.db.query('select from users where email = $1', [email])).length

const countEvents = async (id: string) =>
  (await database.db.query('select from outbox where subject = $1', [id])).length

test('20 copies of one keyed registration at once: one account, one event, identical answers', async () => {
  const body = newPerson()
  const headers = { 'idempotency-key': 'twenty-copies' }
  const answers = await copies(20, () => ask('POST /users', { body, headers }))
  const users = answers.map((answer) => userOf(answer, 201))
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
  const replayed = answers.filter((answer) => answer.headers.get('idempotent-replayed') === 'true')
  assert.equal(replayed.length, 19)
  assert.equal(await countUsers(body.email), 1)
  assert.equal(await countEvents(users[0]?.id ?? ''), 1)
})

test('the same e-mail 20 times at once: one 201, the rest 409 email_taken', async () => {
  const body = newPerson()
  const answers = await copies(20, () => ask('POST /users', { body }))
  const made = answers.filter(({ status }) => status === 201)
  assert.equal(made.length, 1)
  for (const answer of answers) if (answer.status !== 201) assertProblem(answer, 409, 'email_taken')
  assert.equal(await countUsers(body.email), 1)
})

test('the same id 20 times at once: one 201, the rest 409 id_taken', async () => {
  const id = 'usr_contested'
  const answers = await copies(20, () => ask('POST /users', { body: { ...newPerson(), id } }))
  assert.equal(answers.filter(({ status }) => status === 201).length, 1)
  for (const answer of answers) if (answer.status !== 201) assertProblem(answer, 409, 'id_taken')
})

test('the same key with another payload is 422; strangers may use the same key', async () => {
  const headers = { 'idempotency-key': 'popular' }
  const [ada, bob] = [newPerson(), newPerson()]
  const first = userOf(await ask('POST /users', { body: ada, headers }), 201)
  const changed = await ask('POST /users', { body: { ...ada, name: 'Other' }, headers })
  assertProblem(changed, 422, 'idempotency_key_reused')
  const second = userOf(await ask('POST /users', { body: bob, headers }), 201)
  assert.notEqual(first.id, second.id)
})

test('rule 17: a key whose lease ran out after the effect finds what it made, and nobody else’s', async () => {
  const body = newPerson()
  const headers = { 'idempotency-key': 'lost-answer' }
  const made = userOf(await ask('POST /users', { body, headers }), 201)
  const loseAnswer = () =>
    database.db.query(
      `update idempotency_keys set answer = null, leased_until = created_at
       where answer #>> '{headers,location}' = $1`,
      [`/users/${made.id}`],
    )
  await loseAnswer()
  assert.deepEqual(userOf(await ask('POST /users', { body, headers }), 201), made)
  assert.equal(await countUsers(body.email), 1)
  assert.equal(await countEvents(made.id), 1)

  const stranger = { 'idempotency-key': 'another-key' }
  const claimed = { ...body, id: made.id, password: 'not the password' }
  const refused = await ask('POST /users', { body: claimed, headers: stranger })
  assertProblem(refused, 409, 'id_taken')
})

test('the kept hash of a keyed registration is no hash of its text alone', async () => {
  const body = JSON.stringify(newPerson())
  await ask('POST /users', { body, headers: { 'idempotency-key': 'peppered' } })
  const plain = Buffer.from(world.crypto.sha256(body)).toString('base64url')
  const rows = await database.db.query('select from idempotency_keys where request_hash = $1', [
    plain,
  ])
  assert.equal(rows.length, 0)
})

const NOW = new Date(Date.UTC(2030, 0, 1))
const userNamed = (id: string, email = `${id}@batch.test`): User => ({
  id,
  email,
  name: id,
  role: 'customer',
  passwordHash: null,
  guest: false,
  createdAt: NOW,
  updatedAt: NOW,
})
const kinds = (outcomes: { kind: string }[]) => outcomes.map(({ kind }) => kind)

test('rule 14: in a batch every user gets an outcome, matched by id and not by position', async () => {
  await registerUsers(world, [userNamed('held')])
  const outcomes = await registerUsers(world, [
    userNamed('zoe'),
    userNamed('held', 'elsewhere@batch.test'),
    userNamed('amy'),
    userNamed('amy', 'amy-again@batch.test'),
    userNamed('zz_thief', 'zoe@batch.test'),
    userNamed('bob'),
  ])
  assert.deepEqual(kinds(outcomes), [
    'registered',
    'id_taken',
    'registered',
    'id_taken',
    'email_taken',
    'registered',
  ])
  const updates = await updateUsers(world, [
    { id: 'zoe', changes: { email: 'free@batch.test' } },
    { id: 'nobody', changes: { name: 'X' } },
    { id: 'amy', changes: { email: 'free@batch.test' } },
    { id: 'bob', changes: { email: 'held@batch.test', name: 'Robert' } },
    { id: 'zoe', changes: { name: 'Zoë' } },
  ])
  assert.deepEqual(kinds(updates), [
    'updated',
    'not_found',
    'email_taken',
    'email_taken',
    'updated',
  ])
  const last = updates.at(-1)
  assert.ok(last?.kind === 'updated')
  assert.deepEqual([last.user.name, last.user.email], ['Zoë', 'free@batch.test'])
  const erased = await eraseUsers(world, ['bob', 'nobody', 'amy'], (email) => email)
  assert.deepEqual(erased, [true, false, true])
})

test('rule 15: batches over the same users in opposite orders wait for each other, and never deadlock', async () => {
  let runs = 0
  const counting = {
    ...world,
    db: {
      ...world.db,
      transaction: <Result>(work: (tx: Transaction) => Promise<Result>) =>
        world.db.transaction((tx) => {
          runs += 1 // a deadlock is resolved by running again, which nobody would notice
          return work(tx)
        }),
    },
  }
  const rounds = 5
  for (let round = 1; round <= rounds; round += 1) {
    const users = Array.from({ length: 400 }, (_, index) => userNamed(`opposite_${round}_${index}`))
    const answers = await Promise.all([
      registerUsers(counting, users),
      registerUsers(counting, users.toReversed()),
    ])
    const made = answers.flat().filter(({ kind }) => kind === 'registered')
    assert.equal(made.length, users.length)
    const changes = { name: 'changed' }
    const commands = users.map(({ id }) => ({ id, changes }))
    await Promise.all([
      updateUsers(counting, commands),
      updateUsers(counting, commands.toReversed()),
    ])
  }
  assert.equal(runs, rounds * 4)
})

test('many who want one free e-mail at once by update: one has it, the rest are told', async () => {
  const ids = Array.from({ length: 8 }, (_, index) => `wants_${index}`)
  await registerUsers(
    world,
    ids.map((id) => userNamed(id)),
  )
  const email = 'wanted@batch.test'
  const outcomes = await Promise.all(
    ids.map((id) => updateUsers(world, [{ id, changes: { email } }])),
  )
  assert.deepEqual(kinds(outcomes.flat()).toSorted(), [
    ...Array.from({ length: 7 }, () => 'email_taken'),
    'updated',
  ])
})
