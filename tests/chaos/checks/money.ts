/** Owns checking the money: each order against the card processor's own record, and that against the ledger. */
import type { Books, Entry, OrderRow } from '../books.ts'
import type { Story } from '../story.ts'
import type { Violation } from './violation.ts'

/** What the record says of one order or payment. */
type Moved = {
  /** Amounts that were charged or authorised, one by one. */
  charges: number[]
  held: number
  taken: number
  givenBack: number
}

export function checkMoney(stories: readonly Story[], books: Books): Violation[] {
  const byOrder = movedBy(books.record, ({ metadata }) => metadata?.order_id)
  const storyOf = new Map(stories.flatMap((story) => [...story.ids].map((id) => [id, story])))
  const orders = new Map(books.orders.map((order) => [order.id, order]))
  const violations = books.orders.flatMap((order) =>
    judge(order, byOrder.get(order.id), storyOf.get(order.id)),
  )
  for (const [id, { taken, givenBack }] of byOrder) {
    if (orders.has(id) || taken === givenBack) continue
    const detail = `the provider keeps ${taken - givenBack} for ${id}, which is no order`
    violations.push({ promise: 'chargedOnce', order: id, detail })
  }
  return [...violations, ...checkLedger(books), ...checkShown(books)]
}

function movedBy(
  record: readonly Entry[],
  of: (entry: Entry) => string | undefined,
): Map<string, Moved> {
  const moved = new Map<string, Moved>()
  for (const entry of record) {
    const id = of(entry)
    if (id === undefined) continue
    const known = moved.get(id) ?? { charges: [], held: 0, taken: 0, givenBack: 0 }
    moved.set(id, known)
    add(known, entry)
  }
  return moved
}

function add(moved: Moved, { type, amount }: Entry): void {
  if (type === 'charged' || type === 'authorized') moved.charges.push(amount)
  if (type === 'authorized') moved.held += amount
  if (type === 'captured' || type === 'canceled') moved.held = 0 // what was not captured is free
  if (type === 'charged' || type === 'captured') moved.taken += amount
  if (type === 'refunded') moved.givenBack += amount
}

const NOTHING: Moved = { charges: [], held: 0, taken: 0, givenBack: 0 }

function judge(order: OrderRow, moved = NOTHING, story?: Story): Violation[] {
  const { charges, held, taken, givenBack } = moved
  const tell = (detail: string): Violation => ({
    promise: 'chargedOnce',
    order: order.id,
    detail,
    ...(story === undefined ? {} : { n: story.n }),
  })
  const found: Violation[] = []
  if (charges.length > 1)
    found.push(tell(`it was charged ${charges.length} times: ${charges.join(', ')}`))
  if (story?.isPaid === true && charges.length === 0)
    found.push(tell('it was told as paid, and was never charged'))
  if (order.status === 'canceled') {
    if (taken !== givenBack) found.push(tell(`it is canceled, and ${taken - givenBack} is kept`))
    if (held > 0) found.push(tell(`it is canceled, and ${held} is held`))
    return found
  }
  if (charges.length === 0 && order.total !== 0)
    found.push(tell('it is kept, and was never charged'))
  if (charges[0] !== undefined && charges[0] !== order.total) {
    found.push(tell(`${charges[0]} was charged for a total of ${order.total}`))
  }
  const wanted = story?.givenBack ?? 0
  if (givenBack !== wanted) {
    found.push(tell(`${givenBack} was given back of it, ${wanted} was to be`))
  }
  const captured = story?.captured ?? 0
  if (captured > 0 && taken !== captured) found.push(tell(`${taken} was taken, not ${captured}`))
  return found
}

function checkLedger({ ledger, ledgerSum, record, payments }: Books): Violation[] {
  const found: Violation[] = []
  const tell = (detail: string) => void found.push({ promise: 'ledger', detail })
  if (ledgerSum !== 0) tell(`the balances sum to ${ledgerSum}`)
  const byPayment = movedBy(record, ({ metadata }) => metadata?.payment_id)
  const booked = new Map(ledger.map((row) => [row.payment_id, row]))
  for (const id of new Set([...byPayment.keys(), ...booked.keys()])) {
    const { taken, givenBack } = byPayment.get(id) ?? NOTHING
    const { charged, refunded } = booked.get(id) ?? { charged: 0, refunded: 0 }
    if (taken === charged && givenBack === refunded) continue
    tell(
      `${id}: the provider took ${taken} and gave ${givenBack}, the ledger ${charged} and ${refunded}`,
    )
  }
  for (const { id, amount_received, amount_refunded } of payments) {
    const { taken, givenBack } = byPayment.get(id) ?? NOTHING
    if (taken === amount_received && givenBack === amount_refunded) continue
    tell(
      `${id}: the provider took ${taken} and gave ${givenBack}, payments ${amount_received} and ${amount_refunded}`,
    )
  }
  return found
}

function checkShown({ record, shown }: Books): Violation[] {
  const sumOf = (...types: string[]) =>
    record.reduce((sum, each) => sum + (types.includes(each.type) ? each.amount : 0), 0)
  const [taken, given] = [sumOf('charged', 'captured'), sumOf('refunded')]
  const { charged, refunded, sumOfBalances } = shown.ledger
  if (sumOfBalances === 0 && charged === taken && refunded === given) return []
  const detail =
    `GET /ledger/balance tells ${charged} and ${refunded}, sum ${sumOfBalances}; ` +
    `the provider ${taken} and ${given}`
  return [{ promise: 'ledger', detail }]
}
