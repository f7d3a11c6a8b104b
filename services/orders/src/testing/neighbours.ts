/** Owns stand-ins for products and payments that keep their rules: first final answers, tombstones, undo. */

export type ReserveItem = {
  order_id: string
  owner_id: string
  lines: { product_id: string; quantity: number }[]
}
export type PayItem = {
  order_id: string
  owner_id: string
  amount: { amount: number; currency: string }
  payment_method: string | null
  capture_method: string
}
export type UndoItem = { order_id: string; owner_id: string }

type Price = { name: string; amount: number; stock: number }

/** Products with a price, a stock, and a recorded answer per order. */
export function createFakeProducts(prices: Record<string, Price>) {
  const answers = new Map<string, { outcome: string; lines?: unknown[] }>()
  const held = new Map<string, ReserveItem['lines']>()
  const stockOf = (id: string) => prices[id]?.stock ?? 0

  function decide({ order_id, lines }: ReserveItem) {
    if (lines.some(({ product_id }) => prices[product_id] === undefined)) {
      return { outcome: 'product_unavailable' }
    }
    if (lines.some((line) => stockOf(line.product_id) < line.quantity)) {
      return { outcome: 'insufficient_stock' }
    }
    held.set(order_id, lines)
    const quoted = lines.map((line) => {
      const price = prices[line.product_id]
      if (price === undefined) throw new Error('unreachable')
      price.stock -= line.quantity
      return { ...line, name: price.name, unit_price: { amount: price.amount, currency: 'USD' } }
    })
    return { outcome: 'reserved', lines: quoted }
  }

  return {
    prices,
    held,
    reserve(item: ReserveItem) {
      const answer = answers.get(item.order_id) ?? decide(item)
      answers.set(item.order_id, answer)
      return { order_id: item.order_id, ...answer }
    },
    release({ order_id }: UndoItem) {
      for (const { product_id, quantity } of held.get(order_id) ?? []) {
        const price = prices[product_id]
        if (price !== undefined) price.stock += quantity
      }
      held.delete(order_id)
      answers.set(order_id, { outcome: 'released' })
      return { order_id, outcome: 'released' }
    },
  }
}

type FakePayment = { outcome: string; received: number; capturable: number; refunded: number }

const OUTCOMES: Record<string, string> = {
  pm_card_visa: 'succeeded',
  pm_card_chargeDeclined: 'declined',
  pm_card_threeDSecureRequired: 'requires_action',
  pm_card_slow: 'processing',
}

/** Payments with a recorded answer per order; tests may move one on by writing to `payments`. */
export function createFakePayments() {
  const payments = new Map<string, FakePayment>()
  const charges: { order_id: string; amount: number }[] = []

  function decide({ order_id, amount, payment_method, capture_method }: PayItem): FakePayment {
    const byMethod = OUTCOMES[payment_method ?? ''] ?? 'requires_payment_method'
    const outcome =
      byMethod === 'succeeded' && capture_method === 'manual' ? 'requires_capture' : byMethod
    if (outcome === 'succeeded') charges.push({ order_id, amount: amount.amount })
    return {
      outcome,
      received: outcome === 'succeeded' ? amount.amount : 0,
      capturable: outcome === 'requires_capture' ? amount.amount : 0,
      refunded: 0,
    }
  }

  return {
    payments,
    charges,
    /** The customer pays what waits for him, with a card that is good; false where nothing waits. */
    succeed(orderId: string, amount: number): boolean {
      const { outcome } = payments.get(orderId) ?? {}
      if (outcome !== 'requires_action' && outcome !== 'requires_payment_method') return false
      charges.push({ order_id: orderId, amount })
      payments.set(orderId, { outcome: 'succeeded', received: amount, capturable: 0, refunded: 0 })
      return true
    },
    pay(item: PayItem) {
      const payment = payments.get(item.order_id) ?? decide(item)
      payments.set(item.order_id, payment)
      const { outcome } = payment
      return {
        order_id: item.order_id,
        payment_id: `pay_${item.order_id}`,
        outcome,
        amount_received: payment.received,
        amount_capturable: payment.capturable,
        currency: item.amount.currency,
        code: outcome === 'declined' ? 'card_declined' : null,
        next_action: outcome === 'requires_action' ? { type: 'redirect', url: 'http://3ds' } : null,
      }
    },
    void({ order_id }: UndoItem) {
      const refunded = payments.get(order_id)?.received ?? 0
      payments.set(order_id, { outcome: 'canceled', received: refunded, capturable: 0, refunded })
      return { order_id, outcome: 'canceled', amount_refunded: refunded }
    },
  }
}

export type FakeProducts = ReturnType<typeof createFakeProducts>
export type FakePayments = ReturnType<typeof createFakePayments>

/** A command as it comes to a neighbour, or as its answer leaves. */
export type Moment = { path: string; when: 'arrives' | 'answers'; orderIds: string[] }

/** The stand-ins behind HTTP, as the test network wants them; `meet` may make things happen meanwhile. */
export function overHttp(
  answer: Record<string, (items: never[]) => unknown[]>,
  meet: (moment: Moment) => Promise<void>,
) {
  return async (request: Request): Promise<Response> => {
    const path = new URL(request.url).pathname
    const run = answer[path]
    if (run === undefined) return new Response(null, { status: 404 })
    const { items } = (await request.json()) as { items: never[] }
    const orderIds = items.map(({ order_id }) => String(order_id))
    await meet({ path, when: 'arrives', orderIds })
    const outcomes = run(items)
    await meet({ path, when: 'answers', orderIds })
    return Response.json({ outcomes })
  }
}
