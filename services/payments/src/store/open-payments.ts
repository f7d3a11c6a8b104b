/** Owns the SQL of open_payments: which payments wait for the provider, and when each is asked about next. */
import type { Transaction, Tx } from '@quartet/kit/postgres'

/** When the provider is asked about a payment next. */
export type Drive = { paymentId: string; driveAt: Date }

/** Opens payments, or moves the time of those that are open already. Ids must differ. */
export function openPayments(tx: Transaction, drives: Drive[]): void {
  if (drives.length === 0) return
  const sorted = drives.toSorted((a, b) => (a.paymentId < b.paymentId ? -1 : 1))
  tx.send(
    `insert into open_payments (payment_id, drive_at)
     select * from unnest($1::text[], $2::timestamptz[])
     on conflict (payment_id) do update set drive_at = excluded.drive_at`,
    [sorted.map(({ paymentId }) => paymentId), sorted.map(({ driveAt }) => driveAt)],
  )
}

/** Closes payments about which the provider has nothing more to tell. Their rows must be locked. */
export function closePayments(tx: Transaction, ids: string[]): void {
  if (ids.length === 0) return
  tx.send(
    `with locked as materialized (
       select payment_id from open_payments where payment_id = any($1) order by payment_id for update
     )
     delete from open_payments where payment_id in (select payment_id from locked)`,
    [ids],
  )
}

export type DuePayment = { payment_id: string; attempts: number }

/** Takes up to `limit` payments that are due, and their lease until `leaseUntil`; skips what another replica takes. */
export async function claimDuePayments(
  tx: Tx,
  { now, leaseUntil, limit }: { now: Date; leaseUntil: Date; limit: number },
): Promise<DuePayment[]> {
  return tx.query<DuePayment>(
    `update open_payments set drive_at = $2, attempts = attempts + 1
     where payment_id in (
       select payment_id from open_payments where drive_at <= $1
       order by drive_at limit $3 for update skip locked)
     returning payment_id, attempts`,
    [now, leaseUntil, limit],
  )
}

/** When the next open payment is due, null when none is open. */
export async function nextDriveAt(tx: Tx): Promise<Date | null> {
  const [row] = await tx.query<{ at: Date | null }>('select min(drive_at) as at from open_payments')
  return row?.at ?? null
}
