/** Owns the SQL of failed log-ins. An account is named by a hash of its e-mail. */
import type { Tx } from '@quartet/kit/postgres'
import type { LoginFailures } from '../domain.ts'

export async function findFailures(tx: Tx, account: string): Promise<LoginFailures | undefined> {
  const [row] = await tx.query<{ failures: number; window_started_at: Date }>(
    'select failures, window_started_at from login_failures where account = $1',
    [account],
  )
  if (row === undefined) return undefined
  return { failures: row.failures, windowStartedAt: row.window_started_at }
}

/** Counts one failure; a window that began before `windowFloor` is over, and a new one begins. */
export async function addFailure(
  tx: Tx,
  account: string,
  { now, windowFloor }: { now: Date; windowFloor: Date },
): Promise<void> {
  await tx.query(
    `insert into login_failures as held (account, failures, window_started_at)
     values ($1, 1, $2)
     on conflict (account) do update set
       failures = case when held.window_started_at <= $3 then 1 else held.failures + 1 end,
       window_started_at =
         case when held.window_started_at <= $3 then $2 else held.window_started_at end`,
    [account, now, windowFloor],
  )
}

export async function forgetFailures(tx: Tx, accounts: string[]): Promise<void> {
  await tx.query(
    `delete from login_failures where account in (
       select account from login_failures where account = any($1) order by account for update)`,
    [accounts],
  )
}

export async function deleteOldFailures(tx: Tx, windowFloor: Date): Promise<void> {
  await tx.query('delete from login_failures where window_started_at <= $1', [windowFloor])
}
