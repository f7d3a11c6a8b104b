/** Owns the list of planted bugs: small mistakes that would lose money, stock, orders or events, each as an edit of the code. */

/** `find` stands in `file` exactly once. */
export type Edit = { file: string; find: string; replace: string }

export type Bug = {
  name: string
  /** What goes wrong with it. */
  loses: string
  /** Of RULES.md. */
  rule: number
  edits: Edit[]
}

const apply = 'kit/apply-events.ts'
const events = 'kit/events.ts'
const positions = 'kit/positions.ts'
const idempotency = 'kit/idempotency.ts'
const placing = 'services/orders/src/actions.ts'
const orders = 'services/orders/src/store.ts'
const saga = 'services/orders/src/checkout/saga.ts'
const peers = 'services/orders/src/checkout/peers.ts'
const stock = 'services/products/src/store.ts'
const reservations = 'services/products/src/commands/reservations.ts'
const money = 'services/payments/src/domain.ts'
const work = 'services/payments/src/work.ts'

export const BUGS: Bug[] = [
  {
    name: 'no tombstone',
    loses: 'A reserve that arrives after its release takes units for an order that was canceled.',
    rule: 8,
    edits: [
      {
        file: reservations,
        find: `const claimed = await claimReservations(tx, tombstones, 'released', now)`,
        replace: `const claimed = new Set<string>()`,
      },
    ],
  },
  {
    name: 'position moved after the effect',
    loses: 'A reader that dies between the two applies the same events twice.',
    rule: 19,
    edits: [
      {
        file: apply,
        find: `    if (!(await movePosition(tx, keyOf(source), { from, to, ...renewal }))) return undefined
    const free`,
        replace: `    const free`,
      },
      {
        file: apply,
        find: `  if (fresh === undefined) return undefined
  if (fresh.length`,
        replace: `  if (!(await movePosition(db, keyOf(source), { from, to, ...renewal }))) return undefined
  if (fresh.length`,
      },
    ],
  },
  {
    name: 'position not compared',
    loses: 'Two replicas that read the same page both apply it.',
    rule: 19,
    edits: [
      {
        file: positions,
        find: `where source = $1 and position = $2 returning source`,
        replace: `where source = $1 and position >= least($2, 0) returning source`,
      },
    ],
  },
  {
    name: 'event appended after the commit',
    loses: 'An order ends and nobody is told, when the process dies between the two commits.',
    rule: 18,
    edits: [
      {
        file: placing,
        find: `  return world.db.transaction(async (tx) => {
    const before = await lock(tx, first)`,
        replace: `  let said: ReturnType<typeof orderMoved> = []
  const outcomes = await world.db.transaction(async (tx) => {
    const before = await lock(tx, first)`,
      },
      {
        file: placing,
        find: `    const said = moved.flatMap((`,
        replace: `    said = moved.flatMap((`,
      },
      {
        file: placing,
        find: `    appendEvents(tx, world, said)
    const winners = new Set(first)
    return settlements.map((settlement) =>
      winners.has(settlement) ? written.get(settlement.order.id) : undefined,
    )
  })
}`,
        replace: `    const winners = new Set(first)
    return settlements.map((settlement) =>
      winners.has(settlement) ? written.get(settlement.order.id) : undefined,
    )
  })
  await world.db.transaction(async (tx) => appendEvents(tx, world, said))
  return outcomes
}`,
      },
    ],
  },
  {
    name: 'lease never expires',
    loses: 'An order whose driver died is never driven again.',
    rule: 12,
    edits: [
      {
        file: placing,
        find: `const driveAt = new Date(clock.now() + config.LEASE_MS)`,
        replace: `const driveAt = new Date(clock.now() + config.LEASE_MS * 1_000)`,
      },
    ],
  },
  {
    name: 'time-out taken for failure',
    loses: 'An order is canceled as declined because no answer came; its charge may be under way.',
    rule: 7,
    edits: [
      {
        file: peers,
        find: `PAYMENT_OUTCOMES.find((known) => known === answer?.outcome) ?? 'unknown',`,
        replace: `PAYMENT_OUTCOMES.find((known) => known === answer?.outcome) ?? 'declined',`,
      },
    ],
  },
  {
    name: 'key checked without a claim',
    loses: 'A double click has two effects.',
    rule: 17,
    edits: [
      {
        file: idempotency,
        find: `  try {
    return await insertClaim(world, { ...wanted, nowMs, isAgain: false })
  } catch`,
        replace: `  try {
    const { scope } = wanted
    const held = await world.db.query('select from idempotency_keys where scope = $1', [scope])
    if (held.length === 0) return { scope, leasedUntil: new Date(nowMs + LEASE_MS) }
    return await insertClaim(world, { ...wanted, nowMs, isAgain: false })
  } catch`,
      },
    ],
  },
  {
    name: 'release not awaited',
    loses: 'An order is canceled while its units stay reserved for ever.',
    rule: 8,
    edits: [
      {
        file: saga,
        find: `if (!known.release.done || !known.void.done) return`,
        replace: `if (!known.void.done) return`,
      },
    ],
  },
  {
    name: 'void not awaited',
    loses: 'An order is canceled while its buyer is still being charged.',
    rule: 8,
    edits: [
      {
        file: saga,
        find: `if (!known.release.done || !known.void.done) return`,
        replace: `if (!known.release.done) return`,
      },
    ],
  },
  {
    name: 'late answer overwrites a webhook',
    loses: 'A payment that was told to have succeeded goes back to waiting, or is booked twice.',
    rule: 9,
    edits: [
      {
        file: work,
        find: `  const observed = asked.map(({ payment: { id } }) => {
    const payment = locked.get(id)
    if (payment === undefined) throw`,
        replace: `  const observed = asked.map(({ payment }) => {
    const { id } = payment
    if (!locked.has(id)) throw`,
      },
    ],
  },
  {
    name: 'batch unsorted',
    loses: 'Two batches over the same orders deadlock, and what waits in them is late.',
    rule: 15,
    edits: [
      {
        file: stock,
        find: `  const sorted = claims.toSorted((a, b) => (a.order_id < b.order_id ? -1 : 1))`,
        replace: `  const sorted = claims`,
      },
    ],
  },
  {
    name: 'amount not compared',
    loses: 'An order is confirmed that was paid with another amount than its total.',
    rule: 3,
    edits: [
      {
        file: saga,
        find: `return confirmIf(order, payment.amountReceived === totals.total, nowMs)`,
        replace: `return confirmIf(order, true, nowMs)`,
      },
    ],
  },
  {
    name: 'status not compared',
    loses: 'A driver that was late confirms an order that was canceled meanwhile.',
    rule: 6,
    edits: [
      {
        file: orders,
        find: `where orders.id = new.id and orders.status = new.from_status`,
        replace: `where orders.id = new.id and new.from_status is not null`,
      },
    ],
  },
  {
    name: 'refund not claimed',
    loses: 'Two refunds at once give back more than was paid.',
    rule: 9,
    edits: [
      {
        file: money,
        find: `export const refundableOf = ({ amountReceived, refundsClaimed }: Payment): number =>
  amountReceived - refundsClaimed`,
        replace: `export const refundableOf = ({ amountReceived, amountRefunded }: Payment): number =>
  amountReceived - amountRefunded`,
      },
    ],
  },
  {
    name: 'numbers from the newest event',
    loses: 'Once old events are dropped numbers begin again, and readers pass over what is new.',
    rule: 18,
    edits: [
      {
        file: events,
        find: `returning last_sequence - (select count(*) from taken) as base`,
        replace: `returning (select coalesce(max(sequence), 0) from events) as base`,
      },
    ],
  },
  {
    name: "somebody else's answer",
    loses: 'An order id that was used for other lines is answered with what those reserved.',
    rule: 2,
    edits: [
      {
        file: reservations,
        find: `if (!isTombstone && reservation.fingerprint !== fingerprint) {`,
        replace: `if (!isTombstone && reservation.owner_id !== owner_id) {`,
      },
    ],
  },
]
