/** Owns the hourly end of what has expired: sessions, refresh tokens, failed log-ins, guests that nobody can reach. */
import type { World } from '@quartet/kit/world'
import type { AccountName } from '../actions.ts'
import { LOGIN_WINDOW_MS } from '../domain.ts'
import { eraseLostGuests } from '../guests/actions.ts'
import { deleteExpired } from './actions.ts'
import { deleteOldFailures } from '../passwords/login-failures.ts'

type RetentionWorld = Pick<
  World<{ GUEST_RETENTION_DAYS: number }>,
  'config' | 'db' | 'clock' | 'timers' | 'log' | 'ids'
>

const SWEEP_MS = 3_600_000

/** Sweeps now and every hour, until the returned function is called. */
export function startRetention(world: RetentionWorld, accountName: AccountName): () => void {
  let cancel = () => {}
  const sweep = () => {
    sweepOnce(world, accountName).catch((error: unknown) =>
      world.log.warn({ error }, 'what has expired could not be deleted'),
    )
    cancel = world.timers.after(SWEEP_MS, sweep)
  }
  sweep()
  return () => cancel()
}

/** Deletes all that has expired by now. */
export async function sweepOnce(
  world: Pick<RetentionWorld, 'config' | 'db' | 'clock' | 'ids'>,
  accountName: AccountName,
): Promise<void> {
  await deleteExpired(world)
  await deleteOldFailures(world.db, new Date(world.clock.now() - LOGIN_WINDOW_MS))
  await eraseLostGuests(world, world.config.GUEST_RETENTION_DAYS, accountName)
}
