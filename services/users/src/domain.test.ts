/** Owns the proof of the pure decisions: refreshing, failed log-ins, changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  applyChanges,
  decideRefresh,
  lockedForS,
  LOGIN_WINDOW_MS,
  MAX_ISSUED,
  MAX_LOGIN_FAILURES,
  REFRESH_GRACE_MS,
  type Session,
  type User,
} from './domain.ts'

const NOW_MS = Date.UTC(2030, 0, 1)

const session = (changes: Partial<Session> = {}): Session => ({
  id: 'ses_1',
  userId: 'usr_1',
  generation: 3,
  issued: 1,
  rotatedAt: new Date(NOW_MS),
  createdAt: new Date(NOW_MS - 1_000),
  revokedAt: null,
  ...changes,
})

const token = (generation: number, expiresMs = NOW_MS + 86_400_000) => ({
  generation,
  expiresAt: new Date(expiresMs),
})

const revoke = (open: Session, nowMs: number) => ({ ...open, revokedAt: new Date(nowMs) })

test('every state of a session and a token has one outcome', () => {
  const graces = [0, REFRESH_GRACE_MS, REFRESH_GRACE_MS + 1]
  for (const generation of [1, 2, 3]) {
    for (const sinceMs of graces) {
      for (const issued of [1, MAX_ISSUED]) {
        for (const revoked of [false, true]) {
          for (const expired of [false, true]) {
            const nowMs = NOW_MS + sinceMs
            const { kind } = decideRefresh(
              session({ issued, revokedAt: revoked ? new Date(NOW_MS) : null }),
              token(generation, expired ? nowMs : nowMs + 1),
              nowMs,
            )
            const inGrace = generation === 2 && sinceMs <= REFRESH_GRACE_MS
            const expected =
              revoked || expired
                ? 'refused'
                : generation === 3
                  ? 'granted'
                  : !inGrace
                    ? 'reused'
                    : issued === MAX_ISSUED
                      ? 'too_often'
                      : 'granted'
            const state = JSON.stringify({ generation, sinceMs, issued, revoked, expired })
            assert.equal(kind, expected, state)
          }
        }
      }
    }
  }
})

test('a rotation begins a generation; a repeat within the grace adds a token to it', () => {
  const rotated = decideRefresh(session({ issued: 4 }), token(3), NOW_MS + 5)
  assert.deepEqual(rotated, {
    kind: 'granted',
    session: session({ generation: 4, issued: 1, rotatedAt: new Date(NOW_MS + 5) }),
  })
  const repeated = decideRefresh(session(), token(2), NOW_MS + 5)
  assert.deepEqual(repeated, { kind: 'granted', session: session({ issued: 2 }) })
})

test('rule 22: whatever is presented when, a family holds few usable tokens and never revives', () => {
  const step = fc.record({ pick: fc.nat(30), waitMs: fc.nat(40_000) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let state = session({ generation: 1 })
      let nowMs = NOW_MS
      const handedOut = [token(1, NOW_MS + 1e12)]
      for (const { pick, waitMs } of steps) {
        nowMs += waitMs
        const used = handedOut[pick % handedOut.length]
        assert.ok(used)
        const wasRevoked = state.revokedAt !== null
        const decision = decideRefresh(state, used, nowMs)
        if (wasRevoked) assert.equal(decision.kind, 'refused')
        if (decision.kind === 'reused') state = revoke(state, nowMs)
        if (decision.kind !== 'granted') continue
        state = decision.session
        handedOut.push(token(state.generation, NOW_MS + 1e12))
        const newest = handedOut.filter(({ generation }) => generation === state.generation)
        assert.ok(newest.length <= MAX_ISSUED)
      }
    }),
    { numRuns: 200 },
  )
})

test('an account is locked from the tenth failure to the end of the window, not longer', () => {
  const windowStartedAt = new Date(NOW_MS)
  const failed = (failures: number, nowMs: number) =>
    lockedForS({ failures, windowStartedAt }, nowMs)
  assert.equal(lockedForS(undefined, NOW_MS), 0)
  assert.equal(failed(MAX_LOGIN_FAILURES - 1, NOW_MS), 0)
  assert.equal(failed(MAX_LOGIN_FAILURES, NOW_MS), LOGIN_WINDOW_MS / 1_000)
  assert.equal(failed(MAX_LOGIN_FAILURES + 90, NOW_MS + LOGIN_WINDOW_MS - 1), 1)
  assert.equal(failed(MAX_LOGIN_FAILURES + 90, NOW_MS + LOGIN_WINDOW_MS), 0)
})

test('a change names the fields that differ, and only then moves updated_at', () => {
  const before: User = {
    id: 'usr_1',
    email: 'a@shop.test',
    name: 'A',
    role: 'customer',
    guest: false,
    passwordHash: '$argon2id$1',
    createdAt: new Date(0),
    updatedAt: new Date(0),
  }
  const now = new Date(NOW_MS)
  assert.deepEqual(applyChanges(before, { name: 'A', email: 'a@shop.test' }, now), {
    user: before,
    changed: [],
  })
  const { user, changed } = applyChanges(before, { name: 'B', passwordHash: '$argon2id$2' }, now)
  assert.deepEqual(changed, ['name', 'password'])
  assert.deepEqual(user, { ...before, name: 'B', passwordHash: '$argon2id$2', updatedAt: now })
})
