/** Owns the verbs of sessions: a batch in, outcomes out, one transaction. */
import type { Tx } from '@quartet/kit/postgres'
import type { World } from '@quartet/kit/world'
import { decideRefresh, type RevokeReason, type Session, type User } from '../domain.ts'
import { forgetFailures } from '../passwords/login-failures.ts'
import {
  deleteExpiredTokens,
  insertSessions,
  insertTokens,
  lockByTokens,
  revokeSessions,
  updateSessions,
  type StoredToken,
} from './store.ts'
import { findUsers, holdUsers } from '../store.ts'

type Dependencies = Pick<World<unknown>, 'db' | 'clock'>

export type OpenCommand = {
  sessionId: string
  /** As read when the password was checked. */
  user: User
  /** Of the first refresh token. */
  tokenHash: string
  expiresAt: Date
  /** Whose failed log-ins are forgotten. */
  account: string
}

/** Opens sessions of users whose password has just been checked; undefined where it changed since, or the user is gone. */
export async function openSessions(
  { db, clock }: Dependencies,
  commands: OpenCommand[],
): Promise<(User | undefined)[]> {
  const now = new Date(clock.now())
  return db.transaction(async (tx) => {
    const held = await holdUsers(
      tx,
      commands.map(({ user }) => user.id),
    )
    const users = new Map(held.map((user) => [user.id, user]))
    const outcomes = commands.map(({ user }) => {
      const current = users.get(user.id)
      return current?.passwordHash === user.passwordHash ? current : undefined
    })
    const opened = commands.filter((_command, index) => outcomes[index] !== undefined)
    await writeSessions(tx, opened, now)
    await forgetFailures(
      tx,
      opened.map(({ account }) => account),
    )
    return outcomes
  })
}

export type NewSession = Omit<OpenCommand, 'account'>

/** Writes sessions that begin, with the first refresh token of each. */
export async function writeSessions(tx: Tx, opened: NewSession[], now: Date): Promise<void> {
  await insertSessions(
    tx,
    opened.map((session) => toSession(session, now)),
  )
  await insertTokens(
    tx,
    opened.map(({ sessionId, tokenHash, expiresAt }) => ({
      hash: tokenHash,
      sessionId,
      generation: 1,
      expiresAt,
    })),
  )
}

const toSession = ({ sessionId, user }: NewSession, now: Date): Session => ({
  id: sessionId,
  userId: user.id,
  generation: 1,
  issued: 1,
  rotatedAt: now,
  createdAt: now,
  revokedAt: null,
})

export type RefreshCommand = { tokenHash: string; next: { tokenHash: string; expiresAt: Date } }

export type RefreshOutcome =
  | { kind: 'granted'; sessionId: string; user: User }
  | { kind: 'reused' | 'too_often' | 'refused' }

/** Exchanges refresh tokens. Sessions are locked, so copies of one request take turns. */
export async function refreshSessions(
  { db, clock }: Dependencies,
  commands: RefreshCommand[],
): Promise<RefreshOutcome[]> {
  const nowMs = clock.now()
  return db.transaction(async (tx) => {
    const rows = await lockByTokens(
      tx,
      commands.map(({ tokenHash }) => tokenHash),
    )
    const users = await usersOf(tx, rows)
    const tokens = new Map(rows.map(({ token }) => [token.hash, token]))
    const sessions = new Map(rows.map(({ session }) => [session.id, session]))
    const rotated = new Set<string>()
    const reused = new Set<string>()
    const granted: StoredToken[] = []
    const outcomes = commands.map(({ tokenHash, next }): RefreshOutcome => {
      const token = tokens.get(tokenHash)
      const session = sessions.get(token?.sessionId ?? '')
      const user = users.get(session?.userId ?? '')
      if (token === undefined || session === undefined || !user) return { kind: 'refused' }
      const decision = decideRefresh(session, token, nowMs)
      if (decision.kind === 'reused') {
        reused.add(session.id)
        sessions.set(session.id, { ...session, revokedAt: new Date(nowMs) })
      }
      if (decision.kind !== 'granted') return { kind: decision.kind }
      sessions.set(session.id, decision.session)
      rotated.add(session.id)
      const { id, generation } = decision.session
      const { tokenHash: hash, expiresAt } = next
      granted.push({ hash, sessionId: id, generation, expiresAt })
      return { kind: 'granted', sessionId: id, user }
    })
    await updateSessions(
      tx,
      [...sessions.values()].filter(({ id }) => rotated.has(id)),
    )
    await insertTokens(tx, granted)
    await revokeSessions(tx, [...reused], { reason: 'token_reused', now: new Date(nowMs) })
    return outcomes
  })
}

async function usersOf(tx: Tx, rows: { session: Session }[]): Promise<Map<string, User>> {
  const users = await findUsers(
    tx,
    rows.map(({ session }) => session.userId),
  )
  return new Map(users.map((user) => [user.id, user]))
}

/** Ends sessions; one that has ended already keeps its reason. */
export async function closeSessions(
  { db, clock }: Dependencies,
  ids: string[],
  reason: RevokeReason,
): Promise<void> {
  const now = new Date(clock.now())
  await db.transaction((tx) => revokeSessions(tx, ids, { reason, now }))
}

const DELETED_AT_ONCE = 1_000

/** Deletes the sessions and tokens that have expired. */
export async function deleteExpired({ db, clock }: Dependencies): Promise<void> {
  const now = new Date(clock.now())
  for (let deleted = DELETED_AT_ONCE; deleted === DELETED_AT_ONCE;) {
    deleted = await db.transaction((tx) => deleteExpiredTokens(tx, now, DELETED_AT_ONCE))
  }
}
