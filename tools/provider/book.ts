/** Owns what the record adds up to in memory, and drafts on top of it that may still come to nothing. */
import type { ChargeStatus, RecordEntry, Totals } from './contract.ts'
import { evolve, type Charge, type Fact, type Refund } from './domain.ts'

type Sums = {
  captured: number
  refunded: number
  refunds: number
  counts: Record<ChargeStatus, number>
}

/** Everything that is durable. Only `merge` changes it. */
export type Book = {
  sequence: number
  charges: Map<string, Charge>
  refunds: Map<string, Refund>
  /** Charges in `processing` and when they are due, oldest first. */
  due: Map<string, number>
  /** Charge ids that have a challenge page, to their keys. */
  challenges: Map<string, string>
  sums: Map<string, Sums>
  tombstones: number
}

/** A view of the book that takes new facts; the book itself learns of them by `merge`. */
export type Draft = {
  charge: (key: string) => Charge | undefined
  refund: (key: string) => Refund | undefined
  /** Numbers a fact and applies it; returns the charge it left behind (undefined where there is none). */
  add: (fact: Fact) => Charge | undefined
  entries: RecordEntry[]
  charges: Map<string, Charge>
  refunds: Map<string, Refund>
}

export function emptyBook(): Book {
  return {
    sequence: 0,
    charges: new Map(),
    refunds: new Map(),
    due: new Map(),
    challenges: new Map(),
    sums: new Map(),
    tombstones: 0,
  }
}

export function openDraft(book: Book, nowMs: number): Draft {
  const entries: RecordEntry[] = []
  const charges = new Map<string, Charge>()
  const refunds = new Map<string, Refund>()
  const charge = (key: string) => charges.get(key) ?? book.charges.get(key)
  const at = new Date(nowMs).toISOString()
  return {
    charge,
    refund: (key) => refunds.get(key) ?? book.refunds.get(key),
    add(fact) {
      const refund = refundOf(fact)
      if (refund !== undefined) refunds.set(refund.key, refund)
      if (fact.type !== 'refund_failed') {
        charges.set(fact.charge_key, evolve(charge(fact.charge_key), fact))
      }
      entries.push({ sequence: book.sequence + entries.length + 1, at, ...fact })
      return charge(fact.charge_key)
    },
    entries,
    charges,
    refunds,
  }
}

function refundOf(fact: Fact): Refund | undefined {
  if (fact.type !== 'refunded' && fact.type !== 'refund_failed') return undefined
  const { refund_key: key, charge_key: chargeKey, amount } = fact
  const result = fact.type === 'refunded' ? { id: fact.refund_id } : { failure: fact.reason }
  return { key, chargeKey, amount, result }
}

/** Takes a draft over into the book, once its entries are durable. */
export function merge(book: Book, draft: Draft): void {
  for (const charge of draft.charges.values()) {
    count(book, book.charges.get(charge.key), -1)
    count(book, charge, 1)
    book.charges.set(charge.key, charge)
    if (charge.status === 'processing') book.due.set(charge.key, charge.dueAtMs ?? 0)
    else book.due.delete(charge.key)
  }
  for (const refund of draft.refunds.values()) book.refunds.set(refund.key, refund)
  for (const entry of draft.entries) {
    if (entry.type === 'action_required') book.challenges.set(entry.charge_id, entry.charge_key)
    if (entry.type === 'refunded') sumsOf(book, entry.currency).refunds += 1
  }
  book.sequence += draft.entries.length
}

/** Applies one entry that was read back from the record; throws when it cannot follow. */
export function replay(book: Book, { sequence, at, ...fact }: RecordEntry): void {
  if (sequence !== book.sequence + 1) {
    throw new Error(`entry ${sequence} follows entry ${book.sequence}`)
  }
  const draft = openDraft(book, Date.parse(at))
  draft.add(fact)
  merge(book, draft)
}

function count(book: Book, charge: Charge | undefined, sign: 1 | -1): void {
  if (charge === undefined) return
  if (charge.made === undefined) {
    book.tombstones += sign
    return
  }
  const sums = sumsOf(book, charge.made.request.currency)
  sums.captured += sign * charge.amountCaptured
  sums.refunded += sign * charge.amountRefunded
  sums.counts[charge.status] += sign
}

function sumsOf(book: Book, currency: string): Sums {
  const known = book.sums.get(currency)
  if (known !== undefined) return known
  const counts = {
    succeeded: 0,
    requires_capture: 0,
    requires_action: 0,
    processing: 0,
    declined: 0,
    canceled: 0,
  }
  const sums: Sums = { captured: 0, refunded: 0, refunds: 0, counts }
  book.sums.set(currency, sums)
  return sums
}

export function totalsOf({ sequence, tombstones, sums }: Book): Totals {
  const data = [...sums].map(([currency, { captured, refunded, refunds, counts }]) => ({
    currency,
    captured,
    refunded,
    net: captured - refunded,
    refunds,
    counts: { ...counts },
  }))
  return { sequence, tombstones, data }
}
