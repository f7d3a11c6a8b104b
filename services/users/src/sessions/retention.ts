/** Owns the hourly end of what has expired: sessions, refresh tokens, counts of failed log-ins. */
import type { World } from '@quartet/kit/world'
import { LOGIN_WINDOW_MS } from '../domain.ts'
import { deleteExpired } from './actions.ts'
import { deleteOldFailures } from '../passwords/login-failures.ts'

type RetentionWorld = Pick<World<unknown>, 'db' | 'clock' | 'timers' | 'log'>

const SWEEP_MS = 3_600_000

/** Sweeps now and every hour, until the returned function is called. */
export function startRetention(world: RetentionWorld): () => void {
  let cancel = () => {}
  const sweep = () => {
    sweepOnce(world).catch((error: unknown) =>
      world.log.warn({ error }, 'expired sessions could not be deleted'),
    )
    cancel = world.timers.after(SWEEP_MS, sweep)
  }
  sweep()
  return () => cancel()
}

/** Deletes all that has expired by now. */
export async function sweepOnce(world: Pick<RetentionWorld, 'db' | 'clock'>): Promise<void> {
  await deleteExpired(world)
  await deleteOldFailures(world.db, new Date(world.clock.now() - LOGIN_WINDOW_MS))
}
