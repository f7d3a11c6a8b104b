/** Owns the verbs of accounts: a batch in, outcomes out, one transaction. */
import { appendEvents } from '@quartet/kit/events'
import { sqlState } from '@quartet/kit/postgres'
import type { World } from '@quartet/kit/world'
import { applyChanges, type User, type UserChanges } from './domain.ts'
import { userErased, userRegistered, userUpdated } from './events.ts'
import { forgetFailures } from './passwords/login-failures.ts'
import { revokeSessionsOf } from './sessions/store.ts'
import {
  deleteKeptAnswers,
  eraseUsers as leaveTombstones,
  findHolders,
  findTakenEmails,
  insertUsers,
  lockUsers,
  updateUsers as writeUsers,
} from './store.ts'

type Dependencies = Pick<World<unknown>, 'db' | 'clock' | 'ids'>

export type RegisterOutcome =
  | { kind: 'registered'; user: User }
  /** `holder` is null when the id belonged to an erased account. */
  | { kind: 'id_taken'; holder: User | null }
  | { kind: 'email_taken' }

/** Registers users. The insert claims id and e-mail; a later statement sees who held them (rule 14). */
export async function registerUsers(
  world: Dependencies,
  users: User[],
): Promise<RegisterOutcome[]> {
  return world.db.transaction(async (tx) => {
    const inserted = await insertUsers(tx, users)
    // Of two copies of one user in a batch the first is the one that was inserted.
    const claims = new Set(inserted.map(claimOf))
    const registered = users.filter((user) => claims.delete(claimOf(user)))
    const others = users.filter((user) => !registered.includes(user))
    const ids = others.map(({ id }) => id)
    const holders = await findHolders(tx, ids)
    appendEvents(tx, world, registered.map(userRegistered))
    return users.map((user) => {
      if (registered.includes(user)) return { kind: 'registered', user }
      const holder = holders.get(user.id)
      return holder === undefined ? { kind: 'email_taken' } : { kind: 'id_taken', holder }
    })
  })
}

const claimOf = ({ id, email }: Pick<User, 'id' | 'email'>) => `${id} ${email}`

export type UpdateCommand = {
  id: string
  changes: UserChanges
  /** The session that a change of password leaves alive: that of whoever asks. */
  keptSessionId?: string | undefined
  /** Change nothing unless the password is still this one. */
  ifPasswordHash?: string | null | undefined
  /** Change nothing unless it is a guest still. */
  ifGuest?: boolean
}

export type UpdateOutcome =
  | { kind: 'updated'; user: User }
  | { kind: 'not_found' }
  | { kind: 'email_taken' }
  | { kind: 'password_changed' }
  | { kind: 'no_guest'; user: User }

/** Changes users. A changed password ends their other sessions in the same commit. */
export async function updateUsers(
  world: Dependencies,
  commands: UpdateCommand[],
): Promise<UpdateOutcome[]> {
  try {
    return await updateOnce(world, commands)
  } catch (error) {
    // Somebody took the e-mail after it was seen free; now it is seen taken.
    if (sqlState(error) !== UNIQUE_VIOLATION) throw error
    return updateOnce(world, commands)
  }
}

const UNIQUE_VIOLATION = '23505'

function updateOnce(world: Dependencies, commands: UpdateCommand[]): Promise<UpdateOutcome[]> {
  const now = new Date(world.clock.now())
  return world.db.transaction(async (tx) => {
    const ids = commands.map(({ id }) => id)
    const users = new Map((await lockUsers(tx, ids)).map((user) => [user.id, user]))
    const wanted = commands.flatMap(({ id, changes }) => {
      const own = changes.guest === undefined ? undefined : users.get(id)?.email
      return [changes.email, own].filter((email) => email !== undefined)
    })
    const taken = await findTakenEmails(tx, wanted)
    const changed = new Map<string, { user: User; fields: string[] }>()
    const keptSessions: string[] = []
    const outcomes = commands.map((command): UpdateOutcome => {
      const { id, changes, ifPasswordHash, keptSessionId } = command
      const before = users.get(id)
      if (before === undefined) return { kind: 'not_found' }
      if (ifPasswordHash !== undefined && ifPasswordHash !== before.passwordHash) {
        return { kind: 'password_changed' }
      }
      if (command.ifGuest === true && !before.guest) return { kind: 'no_guest', user: before }
      const { user, changed: fields } = applyChanges(before, changes, now)
      if (takesEmail(user, fields) && taken.has(user.email)) return { kind: 'email_taken' }
      if (fields.length === 0) return { kind: 'updated', user }
      if (!user.guest) taken.add(user.email)
      users.set(id, user)
      const earlier = changed.get(id)?.fields ?? []
      changed.set(id, { user, fields: [...new Set([...earlier, ...fields])] })
      if (keptSessionId !== undefined) keptSessions.push(keptSessionId)
      return { kind: 'updated', user }
    })
    const changes = [...changed.values()]
    await writeUsers(
      tx,
      changes.map(({ user }) => user),
    )
    const withNewPassword = changes.filter(({ fields }) => fields.includes('password'))
    const revocation = { reason: 'password_changed', now } as const
    const userIds = withNewPassword.map(({ user }) => user.id)
    await revokeSessionsOf(tx, userIds, keptSessions, revocation)
    appendEvents(
      tx,
      world,
      changes.map(({ user, fields }) => userUpdated(user, fields)),
    )
    return outcomes
  })
}

// A guest's e-mail is nobody's: it is taken by an account alone, and when a guest becomes one.
const takesEmail = ({ guest }: User, changed: string[]) =>
  !guest && (changed.includes('email') || changed.includes('guest'))

/** What counts failed log-ins of an e-mail. */
export type AccountName = (email: string) => string

/** Erases users: personal data, sessions and kept answers go, tombstones stay. Whether each was there. */
export async function eraseUsers(
  world: Dependencies,
  ids: string[],
  accountName: AccountName,
): Promise<boolean[]> {
  const now = new Date(world.clock.now())
  return world.db.transaction(async (tx) => {
    await deleteKeptAnswers(tx, ids)
    const users = await lockUsers(tx, ids)
    const found = users.map(({ id }) => id)
    await leaveTombstones(tx, found, now)
    await revokeSessionsOf(tx, found, [], { reason: 'erased', now })
    // Not those of an e-mail that a guest only wrote down: they are another's, and guard its password.
    const accounts = users.filter(({ guest }) => !guest)
    await forgetFailures(
      tx,
      accounts.map(({ email }) => accountName(email)),
    )
    appendEvents(tx, world, users.map(userErased))
    return ids.map((id) => found.includes(id))
  })
}
