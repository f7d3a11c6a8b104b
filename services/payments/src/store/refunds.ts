/** Owns the SQL of refunds. */
import type { Transaction, Tx } from '@quartet/kit/postgres'
import type { Refund } from '../domain.ts'

type RefundRow = {
  position: number
  id: string
  payment_id: string
  amount: number
  status: Refund['status']
  reason: string | null
  created_at: Date
  updated_at: Date
}

const toRefund = (row: RefundRow): Refund => ({
  id: row.id,
  paymentId: row.payment_id,
  amount: row.amount,
  status: row.status,
  reason: row.reason,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

/** Inserts refunds whose claim on their payment's money is written in the same transaction. */
export function insertRefunds(tx: Transaction, refunds: Refund[]): void {
  if (refunds.length === 0) return
  tx.send(
    `insert into refunds (id, payment_id, amount, status, reason, created_at, updated_at)
     select id, payment_id, amount, status, reason, at, at
     from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[])
       as new (id, payment_id, amount, status, reason, at)`,
    [
      refunds.map(({ id }) => id),
      refunds.map(({ paymentId }) => paymentId),
      refunds.map(({ amount }) => amount),
      refunds.map(({ status }) => status),
      refunds.map(({ reason }) => reason),
      refunds.map(({ createdAt }) => createdAt),
    ],
  )
}

/** Refunds of these payments that wait for the provider, oldest first. Their payments must be locked. */
export async function findPendingRefunds(tx: Tx, paymentIds: string[]): Promise<Refund[]> {
  if (paymentIds.length === 0) return []
  const rows = await tx.query<RefundRow>(
    `select * from refunds where payment_id = any($1) and status = 'pending' order by position`,
    [paymentIds],
  )
  return rows.map(toRefund)
}

export async function findRefund(tx: Tx, id: string): Promise<Refund | undefined> {
  const [row] = await tx.query<RefundRow>('select * from refunds where id = $1', [id])
  return row && toRefund(row)
}

/** Writes what became of refunds. Their payments must be locked. */
export function updateRefunds(tx: Transaction, refunds: Refund[], now: Date): void {
  if (refunds.length === 0) return
  tx.send(
    `update refunds set status = new.status, reason = new.reason, updated_at = $4
     from unnest($1::text[], $2::text[], $3::text[]) as new (id, status, reason)
     where refunds.id = new.id`,
    [
      refunds.map(({ id }) => id),
      refunds.map(({ status }) => status),
      refunds.map(({ reason }) => reason),
      now,
    ],
  )
}

/** Refunds of a payment, newest first, with the position that a cursor continues from. */
export async function listRefunds(
  tx: Tx,
  paymentId: string,
  { before, limit }: { before: number | undefined; limit: number },
): Promise<{ refund: Refund; position: number }[]> {
  const rows = await tx.query<RefundRow>(
    `select * from refunds where payment_id = $1 and position < $2 order by position desc limit $3`,
    [paymentId, before ?? Number.MAX_SAFE_INTEGER, limit],
  )
  return rows.map((row) => ({ refund: toRefund(row), position: row.position }))
}
