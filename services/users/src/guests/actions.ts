/** Owns the verbs of guests: they come with a session, and go when nothing leads to them any more. */
import { appendEvents } from '@quartet/kit/events'
import type { World } from '@quartet/kit/world'
import { eraseUsers, type AccountName } from '../actions.ts'
import { userRegistered } from '../events.ts'
import { writeSessions, type NewSession } from '../sessions/actions.ts'
import { findLostGuests, insertUsers } from '../store.ts'

type Dependencies = Pick<World<unknown>, 'db' | 'clock' | 'ids'>

/** Makes guests with a session each. Their ids are new: nobody holds them. */
export async function welcomeGuests(world: Dependencies, guests: NewSession[]): Promise<void> {
  const now = new Date(world.clock.now())
  const users = guests.map(({ user }) => user)
  await world.db.transaction(async (tx) => {
    await insertUsers(tx, users)
    await writeSessions(tx, guests, now)
    appendEvents(tx, world, users.map(userRegistered))
  })
}

const DAY_MS = 86_400_000
const ERASED_AT_ONCE = 500

/** Erases the guests who came more than `retentionDays` ago and have no session any more. */
export async function eraseLostGuests(
  world: Dependencies,
  retentionDays: number,
  accountName: AccountName,
): Promise<void> {
  const before = new Date(world.clock.now() - retentionDays * DAY_MS)
  for (let found = ERASED_AT_ONCE; found === ERASED_AT_ONCE;) {
    const ids = await findLostGuests(world.db, before, ERASED_AT_ONCE)
    await eraseUsers(world, ids, accountName)
    found = ids.length
  }
}
