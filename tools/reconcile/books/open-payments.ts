/** Owns finding payments that wait for the provider and that nobody asks it about. */
import { createWholeCheck } from '../check.ts'

/**
 * SQL: there is something to ask the provider about a row of payments, as nextCalls of
 * services/payments/src/domain.ts says.
 */
export const IS_ASKED_ABOUT = `(
  status in ('processing', 'requires_action')
  or status = 'requires_capture' and (undo or capture_amount is not null)
  or status = 'succeeded' and exists (
    select from refunds where refunds.payment_id = payments.id and refunds.status = 'pending')
)`

/** Payments, and those that are open. */
export const openPayments = createWholeCheck<'unfinished_payment_not_open'>({
  book: 'payments, open_payments',
  noun: 'open payments',
  kinds: {
    unfinished_payment_not_open: {
      says: 'A payment waits for the provider, and is not in the list of those that are asked about.',
      byHand: '',
    },
  },
  async count({ databases }) {
    const [row] = await databases.payments.whole<{ count: number }>(
      'select count(*) from open_payments',
    )
    return row?.count ?? 0
  },
  async find({ databases }, limit) {
    const rows = await databases.payments.whole<{ id: string; status: string }>(
      `select id, status from payments where ${IS_ASKED_ABOUT}
         and not exists (select from open_payments where payment_id = payments.id)
       order by position limit $1`,
      [limit],
    )
    return rows.map(({ id, status }) => ({
      kind: 'unfinished_payment_not_open',
      id,
      detail: `it is ${status}`,
      nudge: { do: 'drive-payment', id },
    }))
  },
})
