/** Owns the SQL of stock: levels, reservations and movements, in batches sorted by key. */
import type { Transaction, Tx } from '@quartet/kit/postgres'
import type { ReserveItem } from './contract/schemas.ts'
import {
  sumByProduct,
  type Answer,
  type Level,
  type Movement,
  type ReservationState,
} from './domain.ts'

export type Reservation = {
  order_id: string
  owner_id: string
  fingerprint: string
  state: ReservationState
  answer: Answer | null
}

/** Claims order ids by an insert of their own (rule 14); returns those that nobody had claimed before. */
export async function claimReservations(
  tx: Tx,
  claims: { order_id: string; owner_id: string; fingerprint: string }[],
  state: 'claimed' | 'released',
  now: Date,
): Promise<Set<string>> {
  const sorted = claims.toSorted((a, b) => (a.order_id < b.order_id ? -1 : 1))
  const rows = await tx.query<{ order_id: string }>(
    `insert into reservations (order_id, owner_id, fingerprint, state, created_at, updated_at)
     select order_id, owner_id, fingerprint, $4, $5, $5
     from unnest($1::text[], $2::text[], $3::text[]) as new (order_id, owner_id, fingerprint)
     on conflict do nothing returning order_id`,
    [
      sorted.map((claim) => claim.order_id),
      sorted.map((claim) => claim.owner_id),
      sorted.map((claim) => claim.fingerprint),
      state,
      now,
    ],
  )
  return new Set(rows.map((row) => row.order_id))
}

/** Reads recorded reservations and locks them, in order of their ids, against an undo at the same time. */
export async function lockReservations(tx: Tx, ids: string[]): Promise<Map<string, Reservation>> {
  if (ids.length === 0) return new Map()
  const rows = await tx.query<Reservation>(
    `select order_id, owner_id, fingerprint, state, answer from reservations
     where order_id = any($1) order by order_id for update`,
    [ids],
  )
  return new Map(rows.map((row) => [row.order_id, row]))
}

/** Reads recorded reservations: an answer that was given stands, so no lock is needed. */
export async function readReservations(tx: Tx, ids: string[]): Promise<Map<string, Reservation>> {
  if (ids.length === 0) return new Map()
  const rows = await tx.query<Reservation>(
    `select order_id, owner_id, fingerprint, state, answer from reservations where order_id = any($1)`,
    [ids],
  )
  return new Map(rows.map((row) => [row.order_id, row]))
}

/** What a reservation becomes; `answer` null keeps the recorded one. */
export type ReservationChange = { order_id: string; state: ReservationState; answer: Answer | null }

/** Writes claimed or locked reservations. */
export function updateReservations(tx: Transaction, changes: ReservationChange[], now: Date): void {
  if (changes.length === 0) return
  tx.send(
    `update reservations set state = new.state, answer = coalesce(new.answer, reservations.answer),
       updated_at = $4
     from unnest($1::text[], $2::text[], $3::jsonb[]) as new (order_id, state, answer)
     where reservations.order_id = new.order_id`,
    [
      changes.map((change) => change.order_id),
      changes.map((change) => change.state),
      changes.map(({ answer }) => (answer === null ? null : JSON.stringify(answer))),
      now,
    ],
  )
}

/** Levels of these products, locked in id order: what many want is locked last and once per batch. */
export async function lockLevels(tx: Tx, productIds: string[]): Promise<Map<string, Level>> {
  if (productIds.length === 0) return new Map()
  const rows = await tx.query<Level & { product_id: string }>(
    `select product_id, stocked, reserved from stock where product_id = any($1)
     order by product_id for update`,
    [productIds],
  )
  return new Map(
    rows.map(({ product_id, stocked, reserved }) => [product_id, { stocked, reserved }]),
  )
}

/** Locks levels in id order, when nothing of them needs to be known. */
export function claimLevels(tx: Transaction, productIds: string[]): void {
  if (productIds.length === 0) return
  tx.send('select from stock where product_id = any($1) order by product_id for update', [
    productIds,
  ])
}

/** Records movements, of which no other transaction needs to know yet. */
export function recordMovements(
  tx: Transaction,
  movements: (Movement & { id: string })[],
  now: Date,
): void {
  if (movements.length === 0) return
  tx.send(
    `insert into movements (id, product_id, kind, stocked_delta, reserved_delta, order_id, note, created_at)
     select id, product_id, kind, stocked_delta, reserved_delta, order_id, note, $8
     from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])
       as new (id, product_id, kind, stocked_delta, reserved_delta, order_id, note)`,
    [
      movements.map((movement) => movement.id),
      movements.map((movement) => movement.productId),
      movements.map((movement) => movement.kind),
      movements.map((movement) => movement.stockedDelta),
      movements.map((movement) => movement.reservedDelta),
      movements.map((movement) => movement.orderId),
      movements.map((movement) => movement.note),
      now,
    ],
  )
}

/** Applies movements to levels, once per product; the levels must be locked. */
export function changeLevels(tx: Transaction, movements: Movement[]): void {
  const changes = [...sumByProduct(movements)]
  if (changes.length === 0) return
  tx.send(
    `update stock set stocked = stocked + stocked_delta, reserved = reserved + reserved_delta
     from unnest($1::text[], $2::bigint[], $3::bigint[]) as new (id, stocked_delta, reserved_delta)
     where stock.product_id = new.id`,
    [
      changes.map(([productId]) => productId),
      changes.map(([, change]) => change.stocked),
      changes.map(([, change]) => change.reserved),
    ],
  )
}

export type MovementRow = {
  position: number
  id: string
  product_id: string
  kind: Movement['kind']
  stocked_delta: number
  reserved_delta: number
  order_id: string | null
  note: string | null
  created_at: Date
}

/** Movements of a product, newest first, before a position. */
export async function listMovements(
  tx: Tx,
  productId: string,
  { before, limit }: { before: number | undefined; limit: number },
): Promise<MovementRow[]> {
  return tx.query<MovementRow>(
    `select * from movements where product_id = $1 and position < $2
     order by position desc limit $3`,
    [productId, before ?? Number.MAX_SAFE_INTEGER, limit],
  )
}

/** The adjustment with this id, if it was made. */
export async function findMovement(tx: Tx, id: string): Promise<MovementRow | undefined> {
  const [row] = await tx.query<MovementRow>(
    'select * from movements where id = $1 and order_id is null',
    [id],
  )
  return row
}

export async function readLevel(tx: Tx, productId: string): Promise<Level | undefined> {
  const [row] = await tx.query<Level>('select stocked, reserved from stock where product_id = $1', [
    productId,
  ])
  return row
}

/** Products that the lines of `items` name, each once, sorted. */
export function productIdsOf(items: Pick<ReserveItem, 'lines'>[]): string[] {
  const ids = items.flatMap(({ lines }) => lines.map(({ product_id }) => product_id))
  return [...new Set(ids)].toSorted()
}
