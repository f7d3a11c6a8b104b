/** Owns the HTTP of orders: request → action → response. */
import { accountErased, forbidden, type Authenticator, type Principal } from '@quartet/kit/auth'
import { decodeCursor, toPage } from '@quartet/kit/cursor'
import { lastEventIdOf, type EventStreams } from '@quartet/kit/event-stream'
import type { EventTail } from '@quartet/kit/event-tail'
import { notFound, type Http } from '@quartet/kit/http'
import { idempotencyKeyOf, keyReused } from '@quartet/kit/idempotency'
import { jsonAnswer } from '@quartet/kit/json-answer'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import type { PlaceOutcome } from './actions.ts'
import { refusalOf, statusOf, toResource } from './answers.ts'
import type { Checkout } from './checkout/checkout.ts'
import type { Config } from './config.ts'
import { routes, type PlaceOrderBody } from './contract.ts'
import { INITIAL_PAYMENT_STATUS, PRICING_VERSION, type Order } from './domain.ts'
import { beginLife } from './life.ts'
import { listOrders } from './store.ts'

type Dependencies = {
  world: World<Config>
  authenticator: Authenticator
  checkout: Checkout
  streams: EventStreams
  tail: EventTail
}

export function addRoutes(http: Http, dependencies: Dependencies): void {
  addPlacing(http, dependencies)
  addReading(http, dependencies)
  addStreaming(http, dependencies)
  addMoves(http, dependencies)
}

function addPlacing(http: Http, { world, authenticator, checkout }: Dependencies): void {
  http.openapi(routes.place, async (c) => {
    const principal = await authenticator.user(c.req.raw)
    const key = idempotencyKeyOf(c.req.raw) ?? null
    const deadlineMs = c.get('deadlineMs')
    const placed = toOrder(world, principal, key, c.req.valid('json'))
    const outcome = await checkout.place(placed, deadlineMs)
    const order = await endOf(checkout, outcome, deadlineMs)
    const replayed = outcome.kind === 'repeated' ? { 'idempotent-replayed': 'true' } : {}
    const refusal = refusalOf(order, replayed)
    if (refusal !== undefined) throw refusal
    const status = statusOf(order)
    return jsonAnswer(toResource(order), status, {
      ...replayed,
      ...(status === 202 ? { 'retry-after': '1' } : {}),
      location: `/orders/${order.id}`,
    })
  })
}

function endOf(checkout: Checkout, outcome: PlaceOutcome, deadlineMs?: number): Promise<Order> {
  switch (outcome.kind) {
    case 'placed':
      return checkout.complete(outcome.order, deadlineMs)
    case 'repeated':
      return checkout.waitForEnd(outcome.order, deadlineMs)
    case 'key_reused':
      throw keyReused()
    case 'id_taken':
      throw new Problem('conflict', 'The id is taken', {
        code: 'id_taken',
        detail: 'An order with this id exists. Choose another id, or leave it out.',
        errors: [{ field: 'id', detail: 'is taken' }],
      })
    case 'owner_erased':
      throw accountErased()
  }
}

// The order's row is its own idempotency record (rule 17): the hash covers all that was sent.
function toOrder(
  { ids, clock, crypto, config }: World<Config>,
  { userId }: Principal,
  idempotencyKey: string | null,
  body: PlaceOrderBody,
): Order {
  const nowMs = clock.now()
  return {
    id: body.id ?? ids.next('ord'),
    ownerId: userId,
    idempotencyKey,
    requestHash: Buffer.from(crypto.sha256(JSON.stringify(body))).toString('base64url'),
    lines: body.line_items,
    paymentMethod: body.payment_method ?? null,
    captureMethod: body.capture_method,
    expectedTotal: body.expected_total ?? null,
    pricingVersion: PRICING_VERSION,
    shippingAddress: body.shipping_address ?? null,
    expiresAt: new Date(nowMs + config.PAYMENT_WINDOW_MS),
    createdAt: new Date(nowMs),
    status: 'pending',
    paymentStatus: INITIAL_PAYMENT_STATUS,
    fulfillmentStatus: 'not_fulfilled',
    pricedLines: null,
    totals: null,
    paymentId: null,
    cancelReason: null,
    declineCode: null,
    nextAction: null,
    confirmedAt: null,
    updatedAt: new Date(nowMs),
  }
}

function addReading(http: Http, { world, authenticator, checkout }: Dependencies): void {
  http.openapi(routes.read, async (c) => {
    const principal = await authenticator.user(c.req.raw)
    const order = await readOwn(checkout, principal, c.req.valid('param').id)
    return c.json(toResource(order), 200)
  })

  http.openapi(routes.list, async (c) => {
    const principal = await authenticator.user(c.req.raw)
    const { limit, cursor, status, owner_id } = c.req.valid('query')
    const isAdmin = principal.role === 'admin'
    if (!isAdmin && owner_id !== undefined && owner_id !== principal.userId) {
      throw forbidden('Only an admin may list the orders of others.')
    }
    const [before] = cursor === undefined ? [undefined] : decodeCursor(cursor, 'number')
    const ownerId = isAdmin ? owner_id : principal.userId
    const rows = await listOrders(world.db, { ownerId, status, before, limit: limit + 1 })
    const page = toPage(
      rows,
      limit,
      ({ order }) => toResource(order),
      ({ position }) => [position],
    )
    return c.json(page, 200)
  })
}

function addStreaming(http: Http, dependencies: Dependencies): void {
  const { world, authenticator, checkout, streams, tail } = dependencies
  http.openapi(routes.events, async (c) => {
    const { raw } = c.req
    const principal = await authenticator.user(raw)
    const order = await readOwn(checkout, principal, c.req.valid('param').id)
    const after = sequenceOf(lastEventIdOf(raw))
    const begin = () => beginLife({ db: world.db, tail, read: checkout.read }, order, after)
    return streams.open(raw, principal.userId, begin)
  })
}

function sequenceOf(eventId: string | undefined): number {
  if (eventId === undefined) return 0
  if (/^\d{1,15}$/.test(eventId)) return Number(eventId)
  throw new Problem('invalid', 'Invalid request', {
    detail: 'Check: Last-Event-ID.',
    errors: [{ field: 'Last-Event-ID', detail: 'is the id of a message of this stream' }],
  })
}

function addMoves(http: Http, { authenticator, checkout }: Dependencies): void {
  http.openapi(routes.cancel, async (c) => {
    const principal = await authenticator.user(c.req.raw)
    const order = await readOwn(checkout, principal, c.req.valid('param').id)
    const canceled = await checkout.cancel(order, 'requested_by_customer')
    if (canceled === undefined) throw invalidTransition('completed', 'canceled')
    return c.json(toResource(canceled), canceled.status === 'canceled' ? 200 : 202)
  })

  http.openapi(routes.fulfill, async (c) => {
    await authenticator.admin(c.req.raw)
    const { id } = c.req.valid('param')
    const fulfilled = isId(id) ? await checkout.fulfill(id) : undefined
    if (fulfilled === undefined) throw notFound('Order')
    if (fulfilled.status !== 'completed') throw invalidTransition(fulfilled.status, 'completed')
    return c.json(toResource(fulfilled), 200)
  })
}

const isId = (id: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(id)

// Another customer's order is not there, as far as this customer is told.
async function readOwn(checkout: Checkout, principal: Principal, id: string): Promise<Order> {
  const order = isId(id) ? await checkout.read(id) : undefined
  const isVisible = principal.role === 'admin' || order?.ownerId === principal.userId
  if (order === undefined || !isVisible) throw notFound('Order')
  return order
}

const invalidTransition = (from: string, to: string) =>
  new Problem('conflict', `An order that is ${from} cannot become ${to}`, {
    code: 'invalid_transition',
  })
