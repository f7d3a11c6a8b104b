/** Owns the HTTP of refunds: request → action → response. */
import { decodeCursor, toPage } from '@quartet/kit/cursor'
import { notFound, type Http } from '@quartet/kit/http'
import { newId } from '@quartet/kit/idempotency'
import { Problem } from '@quartet/kit/problem'
import { openRefund, type RefundOutcome } from './actions.ts'
import { routes } from './contract.ts'
import { toRefundResource } from './resources.ts'
import { idTaken, invalidTransition, readVisible, type Dependencies } from './routes.ts'
import { findRefund, listRefunds } from './store/refunds.ts'

/** Wants the keys of `addRoutes` before it: a refund's POST is keyed there. */
export function addRefundRoutes(
  http: Http,
  { world, authenticator, worker }: Omit<Dependencies, 'desk'>,
): void {
  http.openapi(routes.refund, async (c) => {
    const principal = await authenticator.admin(c.req.raw)
    const payment = await readVisible(world, principal, c.req.valid('param').id)
    const { id = newId(world, c, 'rfd'), amount } = c.req.valid('json')
    const isKeyed = c.get('idempotencyScope') !== undefined
    const wanted = { amount: amount?.amount, currency: amount?.currency, isKeyed }
    const opened = openedOrThrow(await openRefund(world, { id, paymentId: payment.id, ...wanted }))
    await worker.driveAwhile(opened.work)
    const refund = (await findRefund(world.db, id)) ?? opened.refund
    return c.json(toRefundResource(refund, payment.currency ?? ''), 201)
  })

  http.openapi(routes.listRefunds, async (c) => {
    const principal = await authenticator.user(c.req.raw)
    const payment = await readVisible(world, principal, c.req.valid('param').id)
    const { limit, cursor } = c.req.valid('query')
    const [before] = cursor === undefined ? [undefined] : decodeCursor(cursor, 'number')
    const page = toPage(
      await listRefunds(world.db, payment.id, { before, limit: limit + 1 }),
      limit,
      ({ refund }) => toRefundResource(refund, payment.currency ?? ''),
      ({ position }) => [position],
    )
    return c.json(page, 200)
  })
}

function openedOrThrow(outcome: RefundOutcome) {
  switch (outcome.kind) {
    case 'refunding':
      return outcome
    case 'not_found':
      throw notFound('Payment')
    case 'id_taken':
      throw idTaken('refund')
    case 'invalid_transition':
      throw invalidTransition(outcome.payment.status, 'refunded')
    case 'wrong_currency': {
      const detail = `must be ${outcome.payment.currency}, as was paid`
      throw new Problem('invalid', 'Invalid request', {
        detail: 'A refund is in the currency of its payment.',
        errors: [{ field: 'amount.currency', detail }],
      })
    }
    case 'exceeds_remaining':
      throw new Problem('conflict', 'More than remains', {
        code: 'refund_exceeds_remaining',
        detail: `${outcome.remaining} ${outcome.payment.currency} (minor units) remain.`,
      })
  }
}
