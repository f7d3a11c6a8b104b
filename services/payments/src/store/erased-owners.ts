/** Owns the SQL of forgetting an owner who was erased, step by step. */
import type { Transaction } from '@quartet/kit/postgres'

// Locked at once, and written: few enough for a payment under way not to wait for long.
const STEP_SIZE = 500

/**
 * Forgets how up to 500 payments of an owner were paid, from after a position; gives the position to go on
 * from, undefined at the end. Amounts, ledger and refunds stay. A charge that may have to be asked for
 * again needs its method: the write that knows better forgets it (`updatePayments`).
 */
export async function forgetPayments(
  tx: Transaction,
  ownerId: string,
  after: number,
): Promise<number | undefined> {
  const payments = await tx.query<{ id: string; position: number }>(
    'select id, position from payments where owner_id = $1 and position > $2 order by position limit $3',
    [ownerId, after, STEP_SIZE],
  )
  const ids = payments.map(({ id }) => id)
  // Whoever is writing one of them may not have seen that its owner is erased: waited for, and then seen
  // as it is. Whoever locks it after us sees the erasure.
  tx.send('select from payments where id = any($1) order by id for update', [ids])
  tx.send(
    `update payments set payment_method = null
     where id = any($1) and status not in ('processing', 'requires_action')
       and payment_method is not null`,
    [ids],
  )
  return payments.length < STEP_SIZE ? undefined : payments.at(-1)?.position
}
