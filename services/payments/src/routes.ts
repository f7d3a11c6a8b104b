/** Owns the HTTP of payments: request → action → response. */
import { accountErased, forbidden, type Authenticator, type Principal } from '@quartet/kit/auth'
import { decodeCursor, toPage } from '@quartet/kit/cursor'
import { notFound, type Http } from '@quartet/kit/http'
import { idempotent, newId } from '@quartet/kit/idempotency'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import {
  attachMethod,
  cancelPayment,
  capturePayment,
  createPayment,
  type VerbOutcome,
} from './actions.ts'
import type { Desk } from './commands/desk.ts'
import type { Config } from './config.ts'
import type { CreatePaymentBody } from './contract/schemas.ts'
import type { Payment, PaymentStatus } from './domain.ts'
import { newPayment } from './intention.ts'
import { routes } from './contract.ts'
import { toPaymentResource } from './resources.ts'
import { findPayments, listPayments } from './store.ts'
import type { Work, Worker } from './work.ts'

export type Dependencies = {
  world: World<Config>
  authenticator: Authenticator
  worker: Worker
  desk: Desk
}

export function addRoutes(http: Http, dependencies: Dependencies): void {
  const { world, authenticator } = dependencies
  const keyed = idempotent(world, async (c) => {
    const { userId } = await authenticator.user(c.req.raw)
    return { subject: userId }
  })
  const onPost: typeof keyed = (c, next) => (c.req.method === 'POST' ? keyed(c, next) : next())
  http.use('/payments', onPost)
  http.use('/payments/:id/refunds', onPost)
  addCreating(http, dependencies)
  addReading(http, dependencies)
  addMoving(http, dependencies)
  addCommands(http, dependencies)
}

// Carries out what is left to do and gives the payment as it then is.
async function carryOut(worker: Worker, payment: Payment, work: Work[]): Promise<Payment> {
  return (await worker.driveAwhile(work)).get(payment.id) ?? payment
}

function addCreating(http: Http, { world, authenticator, worker }: Dependencies): void {
  http.openapi(routes.create, async (c) => {
    const { userId } = await authenticator.user(c.req.raw)
    const body = c.req.valid('json')
    const { id = newId(world, c, 'pay') } = body
    const isKeyed = c.get('idempotencyScope') !== undefined
    const opened =
      body.order_id === undefined
        ? await openOwn(world, toPayment(body, newPayment(id, userId, world.clock.now())), isKeyed)
        : await openOfOrder(world, body, body.order_id, userId, isKeyed)
    const payment = await carryOut(worker, opened.payment, opened.work)
    if (payment.code !== null) throw declined(payment)
    c.header('location', `/payments/${payment.id}`)
    const isOpen = payment.status === 'processing' || payment.status === 'requires_action'
    return c.json(toPaymentResource(payment), isOpen ? 202 : 201)
  })
}

type Opened = { payment: Payment; work: Work[] }

async function openOwn(world: World<Config>, payment: Payment, isKeyed: boolean): Promise<Opened> {
  const outcome = await createPayment(world, payment)
  if (outcome.kind === 'owner_erased') throw accountErased()
  // What is there already is ours only when a key says that we may have asked before.
  if (outcome.kind === 'id_taken' || (outcome.kind === 'exists' && !isKeyed))
    throw idTaken('payment')
  return outcome
}

async function openOfOrder(
  world: World<Config>,
  { amount, payment_method: method }: CreatePaymentBody,
  orderId: string,
  ownerId: string,
  isKeyed: boolean,
): Promise<Opened> {
  const outcome = await attachMethod(world, { orderId, ownerId, amount, method })
  // The same card again under a key: the first time it took effect, the answer was lost.
  const isRepeat =
    isKeyed &&
    outcome.kind === 'invalid_transition' &&
    outcome.payment.paymentMethod === method &&
    !outcome.payment.undo
  return isRepeat ? { payment: outcome.payment, work: [] } : doneOrThrow(outcome, 'processing')
}

function toPayment(body: CreatePaymentBody, blank: Payment): Payment {
  const {
    amount,
    payment_method: paymentMethod,
    capture_method: captureMethod = 'automatic',
  } = body
  if (amount === undefined) throw new Error('the schema wants an amount of a payment of its own')
  return { ...blank, ...amount, captureMethod, paymentMethod }
}

const declined = ({ id, orderId, code }: Payment) =>
  new Problem('payment_required', 'The payment was declined', {
    code: 'payment_declined',
    detail: orderId === null ? `Payment ${id} has failed.` : 'Try another payment method.',
    members: {
      payment_id: id,
      decline_code: code,
      ...(orderId === null ? {} : { order_id: orderId }),
    },
  })

/** The 409 problem of an id that stands for something else. */
export const idTaken = (what: 'payment' | 'refund') =>
  new Problem('conflict', 'The id is taken', {
    code: 'id_taken',
    detail: `A ${what} with this id exists. Choose another id, or leave it out.`,
    errors: [{ field: 'id', detail: 'is taken' }],
  })

/** The 409 problem of a move that the state machine doesn't have. */
export const invalidTransition = (from: PaymentStatus, to: string) =>
  new Problem('conflict', `A payment that is ${from} cannot become ${to}`, {
    code: 'invalid_transition',
  })

function doneOrThrow(outcome: VerbOutcome, to: string): Opened {
  switch (outcome.kind) {
    case 'done':
      return outcome
    case 'not_found':
      throw notFound('Payment')
    case 'owner_erased':
      throw accountErased()
    case 'invalid_transition':
      throw invalidTransition(outcome.payment.status, to)
    case 'amount_mismatch': {
      const { amount, currency } = outcome.payment
      throw new Problem('conflict', 'The amount is not that of the order', {
        code: 'amount_mismatch',
        detail: `The order wants ${amount} ${currency} (minor units).`,
        errors: [{ field: 'amount', detail: 'is not that of the order' }],
      })
    }
  }
}

// Somebody else's payment is not there, as far as a customer is told.
export async function readVisible(
  { db }: World<Config>,
  { userId, role }: Principal,
  id: string,
): Promise<Payment> {
  const isId = /^[A-Za-z0-9_-]{1,64}$/.test(id)
  const payment = isId ? (await findPayments(db, [id])).get(id) : undefined
  const isVisible = role === 'admin' || payment?.ownerId === userId
  if (payment === undefined || payment.amount === null || !isVisible) throw notFound('Payment')
  return payment
}

function addReading(http: Http, { world, authenticator }: Dependencies): void {
  http.openapi(routes.read, async (c) => {
    const principal = await authenticator.user(c.req.raw)
    const payment = await readVisible(world, principal, c.req.valid('param').id)
    return c.json(toPaymentResource(payment), 200)
  })

  http.openapi(routes.list, async (c) => {
    const { role, userId } = await authenticator.user(c.req.raw)
    const { limit, cursor, order_id: orderId, status } = c.req.valid('query')
    const [before] = cursor === undefined ? [undefined] : decodeCursor(cursor, 'number')
    const ownerId = role === 'admin' ? undefined : userId
    const filter = { ownerId, orderId, status, before, limit: limit + 1 }
    const page = toPage(
      await listPayments(world.db, filter),
      limit,
      ({ payment }) => toPaymentResource(payment),
      ({ position }) => [position],
    )
    return c.json(page, 200)
  })
}

function addMoving(http: Http, { world, authenticator, worker }: Dependencies): void {
  http.openapi(routes.move, async (c) => {
    const principal = await authenticator.user(c.req.raw)
    const { status: to, amount_to_capture } = c.req.valid('json')
    const current = await readVisible(world, principal, c.req.valid('param').id)
    if (current.status === to) return c.json(toPaymentResource(current), 200)
    const { id } = current
    let outcome: VerbOutcome
    if (to === 'canceled') {
      if (current.orderId !== null) throw belongsToOrder
      outcome = await cancelPayment(world, id)
    } else if (to === 'succeeded') {
      if (principal.role !== 'admin') throw forbidden('Only an admin may capture a payment.')
      checkCapture(current, amount_to_capture)
      outcome = await capturePayment(world, id, amount_to_capture?.amount)
    } else {
      throw invalidTransition(current.status, to)
    }
    const { payment, work } = doneOrThrow(outcome, to)
    const moved = await carryOut(worker, payment, work)
    if (moved.status === to) return c.json(toPaymentResource(moved), 200)
    // The provider may have ended it otherwise: what it authorised was no longer there to capture.
    if (to === 'succeeded' && moved.status === 'canceled') throw invalidTransition(moved.status, to)
    return c.json(toPaymentResource(moved), 202)
  })
}

const belongsToOrder = new Problem('conflict', 'The payment belongs to an order', {
  code: 'belongs_to_order',
  detail: 'Cancel the order instead: its payment is then undone.',
})

function checkCapture(
  { amount, currency }: Payment,
  wanted: { amount: number; currency: string } | undefined,
): void {
  if (wanted === undefined) return
  if (wanted.currency === currency && wanted.amount <= (amount ?? 0)) return
  const detail = `must be at most ${amount} ${currency} (minor units)`
  throw new Problem('invalid', 'Invalid request', {
    detail: 'Capture what was authorised, or less.',
    errors: [{ field: 'amount_to_capture', detail }],
  })
}

function addCommands(http: Http, { authenticator, desk }: Dependencies): void {
  http.openapi(routes.pay, async (c) => {
    await authenticator.service(c.req.raw, 'pay')
    const { items } = c.req.valid('json')
    return c.json({ outcomes: await desk.pay(items, c.get('deadlineMs')) }, 200)
  })

  http.openapi(routes.void, async (c) => {
    await authenticator.service(c.req.raw, 'void')
    const { items } = c.req.valid('json')
    return c.json({ outcomes: await desk.void(items, c.get('deadlineMs')) }, 200)
  })
}
