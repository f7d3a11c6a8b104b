/** Owns the decisions about accounts, sessions and failed log-ins: pure. */
import type { Role } from '@quartet/kit/auth'
import type { UserResource } from './contract.ts'

export type User = {
  id: string
  email: string
  name: string
  role: Role
  /** Argon2id in PHC format; null for an account that cannot log in with a password. */
  passwordHash: string | null
  /** Came to buy without an account: reached by the session that it began with alone. */
  guest: boolean
  createdAt: Date
  updatedAt: Date
}

/** How an account is shown: never its password's hash. */
export function toResource(user: User): UserResource {
  const { id, email, name, role, guest, createdAt, updatedAt } = user
  return {
    id,
    email,
    name,
    role,
    guest,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  }
}

/** `guest`: an account is claimed once, and never becomes a guest again. */
export type UserChanges = { email?: string; name?: string; passwordHash?: string; guest?: false }

/** The user after the changes and the fields that differ, in the words of the contract. */
export function applyChanges(user: User, changes: UserChanges, now: Date) {
  const next = { ...user, ...changes }
  const changed = [
    ...(next.email === user.email ? [] : ['email']),
    ...(next.name === user.name ? [] : ['name']),
    ...(next.guest === user.guest ? [] : ['guest']),
    ...(next.passwordHash === user.passwordHash ? [] : ['password']),
  ]
  return { user: changed.length === 0 ? user : { ...next, updatedAt: now }, changed }
}

/** Whether `held` is what `wanted` would have written, apart from the salted hash of the password. */
export function isSameAccount(held: User, wanted: User): boolean {
  return (
    held.id === wanted.id &&
    held.email === wanted.email &&
    held.name === wanted.name &&
    held.role === wanted.role &&
    held.guest === wanted.guest &&
    (held.passwordHash === null) === (wanted.passwordHash === null)
  )
}

export type RevokeReason = 'logged_out' | 'token_reused' | 'password_changed' | 'erased'

/** A log-in and the refresh tokens that followed from it. */
export type Session = {
  id: string
  userId: string
  /** Counts the rotations, from 1. */
  generation: number
  /** Tokens of this generation that were handed out: more than one when answers were lost. */
  issued: number
  rotatedAt: Date
  createdAt: Date
  revokedAt: Date | null
}

export type RefreshToken = { generation: number; expiresAt: Date }

export type RefreshDecision =
  /** Hand out a token of the session's new generation. */
  | { kind: 'granted'; session: Session }
  /** Revoke the session: a token was used again that had been exchanged before. */
  | { kind: 'reused' }
  | { kind: 'too_often' }
  | { kind: 'refused' }

/** How long a token may be used again, for an answer that was lost (rule 22). */
export const REFRESH_GRACE_MS = 30_000
/** Tokens of one generation, at most: a family never forks further. */
export const MAX_ISSUED = 5

/** What the use of a refresh token leads to (rule 22). */
export function decideRefresh(
  session: Session,
  token: RefreshToken,
  nowMs: number,
): RefreshDecision {
  if (session.revokedAt !== null || token.expiresAt.getTime() <= nowMs) return { kind: 'refused' }
  if (token.generation === session.generation) {
    const generation = session.generation + 1
    return {
      kind: 'granted',
      session: { ...session, generation, issued: 1, rotatedAt: new Date(nowMs) },
    }
  }
  const isPrevious = token.generation === session.generation - 1
  const inGrace = nowMs - session.rotatedAt.getTime() <= REFRESH_GRACE_MS
  if (!isPrevious || !inGrace) return { kind: 'reused' }
  if (session.issued >= MAX_ISSUED) return { kind: 'too_often' }
  return { kind: 'granted', session: { ...session, issued: session.issued + 1 } }
}

export type LoginFailures = { failures: number; windowStartedAt: Date }

/** Failed log-ins per account and window; the window is fixed, so no one is locked out for longer. */
export const MAX_LOGIN_FAILURES = 10
export const LOGIN_WINDOW_MS = 15 * 60_000

/** Seconds until the account takes log-ins again; 0 when it does. */
export function lockedForS(record: LoginFailures | undefined, nowMs: number): number {
  if (record === undefined || record.failures < MAX_LOGIN_FAILURES) return 0
  const endMs = record.windowStartedAt.getTime() + LOGIN_WINDOW_MS
  return Math.max(0, Math.ceil((endMs - nowMs) / 1_000))
}
