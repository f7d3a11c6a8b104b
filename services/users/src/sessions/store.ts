/** Owns the SQL of sessions and their refresh tokens. */
import type { Role } from '@quartet/kit/auth'
import type { Tx } from '@quartet/kit/postgres'
import type { RefreshToken, RevokeReason, Session } from '../domain.ts'

type SessionRow = {
  id: string
  user_id: string
  generation: number
  issued: number
  rotated_at: Date
  created_at: Date
  revoked_at: Date | null
}

function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    userId: row.user_id,
    generation: row.generation,
    issued: row.issued,
    rotatedAt: row.rotated_at,
    createdAt: row.created_at,
    revokedAt: row.revoked_at,
  }
}

/** A refresh token as it is kept: only its hash. */
export type StoredToken = RefreshToken & { hash: string; sessionId: string }

export async function insertSessions(tx: Tx, sessions: Session[]): Promise<void> {
  await tx.query(
    `insert into sessions (id, user_id, generation, issued, rotated_at, created_at)
     select id, user_id, 1, 1, created_at, created_at
     from unnest($1::text[], $2::text[], $3::timestamptz[]) as new (id, user_id, created_at)`,
    [
      sessions.map(({ id }) => id),
      sessions.map(({ userId }) => userId),
      sessions.map(({ createdAt }) => createdAt),
    ],
  )
}

export async function insertTokens(tx: Tx, tokens: StoredToken[]): Promise<void> {
  await tx.query(
    `insert into refresh_tokens (hash, session_id, generation, expires_at)
     select hash, session_id, generation, expires_at
     from unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[])
       as new (hash, session_id, generation, expires_at)`,
    [
      tokens.map(({ hash }) => hash),
      tokens.map(({ sessionId }) => sessionId),
      tokens.map(({ generation }) => generation),
      tokens.map(({ expiresAt }) => expiresAt),
    ],
  )
}

/** The tokens with these hashes and their sessions, whose rows are locked in id order. */
export async function lockByTokens(
  tx: Tx,
  hashes: string[],
): Promise<{ token: StoredToken; session: Session }[]> {
  type Row = SessionRow & { hash: string; token_generation: number; expires_at: Date }
  const rows = await tx.query<Row>(
    `select sessions.*, hash, refresh_tokens.generation as token_generation, expires_at
     from refresh_tokens join sessions on sessions.id = session_id
     where hash = any($1) order by sessions.id for update of sessions`,
    [hashes],
  )
  return rows.map((row) => ({
    token: {
      hash: row.hash,
      sessionId: row.id,
      generation: row.token_generation,
      expiresAt: row.expires_at,
    },
    session: toSession(row),
  }))
}

/** Writes rotations of sessions whose rows are locked. */
export async function updateSessions(tx: Tx, sessions: Session[]): Promise<void> {
  await tx.query(
    `update sessions set generation = new.generation, issued = new.issued,
       rotated_at = new.rotated_at
     from unnest($1::text[], $2::int[], $3::int[], $4::timestamptz[])
       as new (id, generation, issued, rotated_at)
     where sessions.id = new.id`,
    [
      sessions.map(({ id }) => id),
      sessions.map(({ generation }) => generation),
      sessions.map(({ issued }) => issued),
      sessions.map(({ rotatedAt }) => rotatedAt),
    ],
  )
}

export type Revocation = { reason: RevokeReason; now: Date }

/** Ends sessions by id, in id order. */
export async function revokeSessions(
  tx: Tx,
  ids: string[],
  { reason, now }: Revocation,
): Promise<void> {
  await tx.query(
    `update sessions set revoked_at = $2, revoke_reason = $3
     where id in (
       select id from sessions where id = any($1) and revoked_at is null order by id for update)`,
    [ids, now, reason],
  )
}

/** Ends all sessions of these users but the kept ones. */
export async function revokeSessionsOf(
  tx: Tx,
  userIds: string[],
  keptIds: string[],
  { reason, now }: Revocation,
): Promise<void> {
  await tx.query(
    `update sessions set revoked_at = $3, revoke_reason = $4
     where id in (
       select id from sessions
       where user_id = any($1) and id <> all($2::text[]) and revoked_at is null
       order by id for update)`,
    [userIds, keptIds, now, reason],
  )
}

/** A session that was not ended, of a user who was not erased. */
export type LiveSession = { id: string; userId: string; role: Role }

export async function findLiveSessions(tx: Tx, ids: string[]): Promise<LiveSession[]> {
  return tx.query<LiveSession>(
    `select sessions.id, user_id as "userId", role
     from sessions join users on users.id = user_id
     where sessions.id = any($1) and revoked_at is null and erased_at is null`,
    [ids],
  )
}

/** Deletes up to `limit` expired tokens, and the sessions that have none left; returns how many tokens. */
export async function deleteExpiredTokens(tx: Tx, before: Date, limit: number): Promise<number> {
  const deleted = await tx.query<{ session_id: string }>(
    `delete from refresh_tokens where hash in (
       select hash from refresh_tokens where expires_at < $1 order by expires_at limit $2)
     returning session_id`,
    [before, limit],
  )
  // A later statement, so that it no longer sees the deleted tokens.
  await tx.query(
    `delete from sessions where id = any($1)
       and not exists (select from refresh_tokens where session_id = sessions.id)`,
    [deleted.map(({ session_id }) => session_id)],
  )
  return deleted.length
}
