/** Owns the proof of key rotation: what signs, what is published, and that replicas agree. */
import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { createTestClock, createTestWorld } from '@quartet/kit/testing'
import { createUsersDatabase, testConfig } from '../app.fixture.ts'
import type { Config } from '../config.ts'
import { createKeyRing } from './key-ring.ts'
import { dueKey, LEAD_MS, signingKey, withdrawnKeys, type KeyTimes } from './schedule.ts'
import { seal, unseal } from './sealing.ts'

const database = await createUsersDatabase()
after(() => database.drop())
beforeEach(() => database.db.query('delete from signing_keys'))

const ROTATION_MS = testConfig.KEY_ROTATION_S * 1_000
const TTL_MS = testConfig.ACCESS_TOKEN_TTL_S * 1_000

function openRing(clock = createTestClock(), config: Partial<Config> = {}) {
  const world = createTestWorld<Config>({
    config: { ...testConfig, ...config },
    db: database.db,
    clock,
  })
  return createKeyRing(world)
}

const kids = (keys: { kid: string }[]) => keys.map(({ kid }) => kid)

test('rule 22: a new key is published before it signs, the old one until its tokens have expired', async () => {
  const clock = createTestClock()
  const ring = openRing(clock)
  const first = (await ring.signing()).kid
  assert.deepEqual(kids(await ring.published()), [first])

  await clock.advance(ROTATION_MS - LEAD_MS)
  const both = kids(await ring.published())
  assert.equal(both.length, 2)
  assert.equal((await ring.signing()).kid, first)

  await clock.advance(LEAD_MS)
  const second = (await ring.signing()).kid
  assert.notEqual(second, first)
  assert.deepEqual(both, [first, second])

  await clock.advance(TTL_MS)
  assert.deepEqual(kids(await ring.published()), [first, second])
  await clock.advance(10 * 60_000)
  assert.deepEqual(kids(await ring.published()), [second])
  assert.equal(await ring.keySets.find('users', first), undefined)
})

test('a service that slept through a rotation publishes the new key before it signs with it', async () => {
  const clock = createTestClock()
  const first = (await openRing(clock).signing()).kid
  await clock.advance(3 * ROTATION_MS)
  const awake = openRing(clock)
  assert.equal((await awake.signing()).kid, first)
  assert.equal((await awake.published()).length, 2)
  await clock.advance(LEAD_MS)
  assert.notEqual((await awake.signing()).kid, first)
})

test('replicas that find a key due at the same time make one', async () => {
  const clock = createTestClock()
  const replicas = Array.from({ length: 6 }, () => openRing(clock))
  const signing = await Promise.all(replicas.map((ring) => ring.signing()))
  assert.equal(new Set(kids(signing)).size, 1)
  await clock.advance(ROTATION_MS)
  const published = await Promise.all(replicas.map((ring) => ring.published()))
  assert.equal(new Set(published.map((keys) => kids(keys).join())).size, 1)
  assert.equal(published[0]?.length, 2)
})

test('a key that another replica made is found by its id, and no private part is published', async () => {
  const clock = createTestClock()
  const ring = openRing(clock)
  await ring.signing()
  await database.db.query('delete from signing_keys')
  const other = await openRing(clock).signing()
  await clock.advance(1_000)
  const found = await ring.keySets.find('users', other.kid)
  assert.deepEqual(Object.keys(found ?? {}).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  assert.equal(await ring.keySets.find('orders', other.kid), undefined)
  for (const key of await ring.published()) assert.ok(!('d' in key))
})

test('the private part is unreadable in the database, and with another secret', async () => {
  const clock = createTestClock()
  const key = await openRing(clock).signing()
  const rows = await database.db.query<{ row: string }>(
    'select row_to_json(k)::text as row from signing_keys k',
  )
  assert.ok(!rows[0]?.row.includes(key.d))
  const stranger = openRing(clock, { KEY_ENCRYPTION_SECRET_FILE: new Uint8Array(32).fill(8) })
  await assert.rejects(stranger.signing(), /KEY_ENCRYPTION_SECRET_FILE is not the secret/)
})

test('what was sealed opens with the same secret and key id alone, and unchanged', () => {
  const secret = new Uint8Array(32).fill(1)
  const nonce = new Uint8Array(12).fill(2)
  const sealed = seal('private', { secret, kid: 'a' }, nonce)
  assert.equal(unseal(sealed, { secret, kid: 'a' }), 'private')
  assert.throws(() => unseal(sealed, { secret, kid: 'b' }))
  assert.throws(() => unseal(sealed, { secret: new Uint8Array(32), kid: 'a' }))
  const bytes = Buffer.from(sealed, 'base64url')
  for (let index = 0; index < bytes.length; index += 1) {
    const changed = Buffer.from(bytes)
    changed[index] = (changed[index] ?? 0) ^ 1
    assert.throws(() => unseal(changed.toString('base64url'), { secret, kid: 'a' }))
  }
})

test('rule 22: at any time, however long the pauses, every token that is still valid can be verified', () => {
  const rotation = { rotationMs: ROTATION_MS, accessTtlMs: TTL_MS }
  const pause = fc.oneof(fc.nat(2 * TTL_MS), fc.nat(ROTATION_MS), fc.nat(4 * ROTATION_MS))
  fc.assert(
    fc.property(fc.array(pause, { maxLength: 30 }), (pauses) => {
      let nowMs = 0
      let keys: (KeyTimes & { madeMs: number })[] = []
      const signed: { kid: string; expiresMs: number }[] = []
      for (const pauseMs of [0, ...pauses]) {
        nowMs += pauseMs
        const withdrawn = withdrawnKeys(keys, nowMs, rotation)
        keys = keys.filter((key) => !withdrawn.includes(key))
        const signsFromMs = dueKey(keys, nowMs, rotation)
        if (signsFromMs !== undefined) {
          keys.push({ kid: `k${signed.length}`, signsFromMs, madeMs: nowMs })
        }
        const key = signingKey(keys, nowMs)
        assert.ok(key)
        assert.ok(key.madeMs === 0 || nowMs - key.madeMs >= LEAD_MS, 'published before it signs')
        signed.push({ kid: key.kid, expiresMs: nowMs + TTL_MS })
        for (const { kid, expiresMs } of signed) {
          if (expiresMs > nowMs) assert.ok(keys.some((known) => known.kid === kid))
        }
        assert.ok(keys.length <= 3)
      }
    }),
    { numRuns: 300 },
  )
})
