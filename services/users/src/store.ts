/** Owns the SQL of accounts. Every function takes the transaction first; batches are sorted by key. */
import type { Role } from '@quartet/kit/auth'
import type { Tx } from '@quartet/kit/postgres'
import type { User } from './domain.ts'

type UserRow = {
  position: number
  id: string
  email: string
  name: string
  role: Role
  password_hash: string | null
  guest: boolean
  created_at: Date
  updated_at: Date
}

const COLUMNS = 'position, id, email, name, role, password_hash, guest, created_at, updated_at'

function toUser(row: UserRow): User {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role,
    passwordHash: row.password_hash,
    guest: row.guest,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

const compareIds = (a: { id: string }, b: { id: string }) =>
  Number(a.id > b.id) - Number(a.id < b.id)

/** Inserts the users whose id and, but for guests, e-mail are free; returns those inserted. */
export async function insertUsers(tx: Tx, users: User[]): Promise<Pick<User, 'id' | 'email'>[]> {
  const sorted = users.toSorted(compareIds)
  return tx.query<Pick<User, 'id' | 'email'>>(
    `insert into users (id, email, name, role, password_hash, guest, created_at, updated_at)
     select id, email, name, role, password_hash, guest, created_at, created_at
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[],
       $7::timestamptz[]) as new (id, email, name, role, password_hash, guest, created_at)
     on conflict do nothing
     returning id, email`,
    [
      sorted.map(({ id }) => id),
      sorted.map(({ email }) => email),
      sorted.map(({ name }) => name),
      sorted.map(({ role }) => role),
      sorted.map(({ passwordHash }) => passwordHash),
      sorted.map(({ guest }) => guest),
      sorted.map(({ createdAt }) => createdAt),
    ],
  )
}

/** Which of these ids are held, by whom: null for a tombstone. */
export async function findHolders(tx: Tx, ids: string[]): Promise<Map<string, User | null>> {
  const rows = await tx.query<UserRow & { erased: boolean }>(
    `select ${COLUMNS}, erased_at is not null as erased from users where id = any($1)`,
    [ids],
  )
  return new Map(rows.map((row) => [row.id, row.erased ? null : toUser(row)]))
}

/** The living users with these ids. */
export async function findUsers(tx: Tx, ids: string[]): Promise<User[]> {
  const rows = await tx.query<UserRow>(
    `select ${COLUMNS} from users where id = any($1) and erased_at is null`,
    [ids],
  )
  return rows.map(toUser)
}

/** Like `findUsers`; locks their rows until the transaction ends. */
export async function lockUsers(tx: Tx, ids: string[]): Promise<User[]> {
  const rows = await tx.query<UserRow>(
    `select ${COLUMNS} from users where id = any($1) and erased_at is null
     order by id for update`,
    [ids],
  )
  return rows.map(toUser)
}

/** Like `findUsers`; keeps them from being changed or erased until the transaction ends. */
export async function holdUsers(tx: Tx, ids: string[]): Promise<User[]> {
  const rows = await tx.query<UserRow>(
    `select ${COLUMNS} from users where id = any($1) and erased_at is null
     order by id for share`,
    [ids],
  )
  return rows.map(toUser)
}

/** The user who logs in with this e-mail: never a guest, whose e-mail is whatever was written down. */
export async function findByEmail(tx: Tx, email: string): Promise<User | undefined> {
  const [row] = await tx.query<UserRow>(
    `select ${COLUMNS} from users where email = $1 and not guest`,
    [email],
  )
  return row === undefined ? undefined : toUser(row)
}

/** Which of these e-mails are taken: guests take none. */
export async function findTakenEmails(tx: Tx, emails: string[]): Promise<Set<string>> {
  const rows = await tx.query<{ email: string }>(
    'select email from users where email = any($1) and not guest',
    [emails],
  )
  return new Set(rows.map(({ email }) => email))
}

/** Writes users whose rows are locked. A taken e-mail is a unique violation (23505). */
export async function updateUsers(tx: Tx, users: User[]): Promise<void> {
  const sorted = users.toSorted(compareIds)
  await tx.query(
    `update users set email = new.email, name = new.name, password_hash = new.password_hash,
       guest = new.guest, updated_at = new.updated_at
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[])
       as new (id, email, name, password_hash, guest, updated_at)
     where users.id = new.id`,
    [
      sorted.map(({ id }) => id),
      sorted.map(({ email }) => email),
      sorted.map(({ name }) => name),
      sorted.map(({ passwordHash }) => passwordHash),
      sorted.map(({ guest }) => guest),
      sorted.map(({ updatedAt }) => updatedAt),
    ],
  )
}

/** Leaves tombstones of users whose rows are locked. */
export async function eraseUsers(tx: Tx, ids: string[], now: Date): Promise<void> {
  await tx.query(
    `update users set email = null, name = null, password_hash = null, updated_at = $2,
       erased_at = $2
     where id = any($1)`,
    [ids, now],
  )
}

/** Up to `limit` guests who came before this and whom no session leads to any more, oldest first. */
export async function findLostGuests(tx: Tx, before: Date, limit: number): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `select id from users
     where guest and erased_at is null and created_at < $1
       and not exists (select from sessions where user_id = users.id)
     order by created_at limit $2`,
    [before, limit],
  )
  return rows.map(({ id }) => id)
}

/** Deletes the kept answers of keyed requests that made these users: they hold e-mail and name. */
export async function deleteKeptAnswers(tx: Tx, ids: string[]): Promise<void> {
  await tx.query(
    `delete from idempotency_keys where scope in (
       select scope from idempotency_keys where answer #>> '{headers,location}' = any($1)
       order by scope for update)`,
    [ids.map((id) => `/users/${id}`)],
  )
}

export type UserFilter = {
  email: string | undefined
  before: number | undefined
  limit: number
}

/** Living users, newest first, with their place in the list. */
export async function listUsers(
  tx: Tx,
  { email, before, limit }: UserFilter,
): Promise<{ user: User; position: number }[]> {
  const rows = await tx.query<UserRow>(
    `select ${COLUMNS} from users
     where erased_at is null and ($1::text is null or email = $1)
       and ($2::bigint is null or position < $2)
     order by position desc limit $3`,
    [email ?? null, before ?? null, limit],
  )
  return rows.map((row) => ({ user: toUser(row), position: row.position }))
}
