/** Owns the life of a charge: which entry may follow which, and what an entry makes of it. Pure. */
import type {
  CaptureRefusal,
  ChargeOutcome,
  ChargeRequest,
  ChargeStatus,
  DeclineCode,
  RecordEntry,
  RefundFailure,
  RefundRequest,
} from './contract.ts'
import { cardBehaviour, SLOW_MS, type Verdict } from './test-tokens.ts'

type Without<Entry, Keys extends PropertyKey> = Entry extends unknown ? Omit<Entry, Keys> : never

/** Something that happened, before the record gives it a number and a time. */
export type Fact = Without<RecordEntry, 'sequence' | 'at'>

type Fields = Omit<ChargeRequest, 'key'>

export type Charge = {
  key: string
  status: ChargeStatus
  amountCaptured: number
  amountRefunded: number
  declineCode?: DeclineCode
  dueAtMs?: number
  /** Absent in a tombstone. */
  made?: { id: string; request: Fields }
}

export type MadeCharge = Charge & Required<Pick<Charge, 'made'>>

export type Refund = {
  key: string
  chargeKey: string
  amount: number
  result: { id: string } | { failure: RefundFailure }
}

// The state machine. `refund_failed` is about a refund alone and changes no charge.
const MAY_FOLLOW: Record<Fact['type'], readonly (ChargeStatus | 'unseen')[]> = {
  charged: ['unseen', 'requires_action', 'processing'],
  authorized: ['unseen', 'requires_action', 'processing'],
  declined: ['unseen', 'requires_action', 'processing'],
  action_required: ['unseen'],
  processing: ['unseen'],
  captured: ['requires_capture'],
  canceled: ['requires_capture', 'requires_action', 'processing'],
  tombstone: ['unseen'],
  refunded: ['succeeded'],
  refund_failed: [],
}

/** What `fact` makes of a charge; throws when the state machine or the amounts forbid it. */
export function evolve(before: Charge | undefined, fact: Exclude<Fact, { type: 'refund_failed' }>) {
  const status = before?.status ?? 'unseen'
  if (!MAY_FOLLOW[fact.type].includes(status)) {
    throw new Error(`${fact.charge_key} is ${status}: ${fact.type} cannot follow`)
  }
  const after = next(before, fact)
  const limit = after.made?.request.amount ?? 0
  if (after.amountCaptured > limit || after.amountRefunded > after.amountCaptured) {
    throw new Error(`${fact.charge_key}: ${fact.type} of ${fact.amount} is more than there is`)
  }
  return after
}

function next(before: Charge | undefined, fact: Exclude<Fact, { type: 'refund_failed' }>): Charge {
  const key = fact.charge_key
  const kept = before ?? { key, status: 'canceled', amountCaptured: 0, amountRefunded: 0 }
  switch (fact.type) {
    case 'tombstone':
    case 'canceled':
      return { ...kept, status: 'canceled' }
    case 'captured':
      return { ...kept, status: 'succeeded', amountCaptured: fact.amount }
    case 'refunded':
      return { ...kept, amountRefunded: kept.amountRefunded + fact.amount }
    case 'charged':
      return { ...made(fact), status: 'succeeded', amountCaptured: fact.amount }
    case 'authorized':
      return { ...made(fact), status: 'requires_capture' }
    case 'declined':
      return { ...made(fact), status: 'declined', declineCode: fact.decline_code }
    case 'action_required':
      return { ...made(fact), status: 'requires_action' }
    case 'processing':
      return { ...made(fact), status: 'processing', dueAtMs: Date.parse(fact.due_at) }
  }
}

function made(fact: Extract<Fact, { payment_method: string }>): Omit<Charge, 'status'> {
  const { amount, currency, payment_method, capture_method, metadata } = fact
  const request = { amount, currency, payment_method, capture_method, metadata }
  return {
    key: fact.charge_key,
    amountCaptured: 0,
    amountRefunded: 0,
    made: { id: fact.charge_id, request },
  }
}

/** The first fact about a charge that was never seen. */
export function open({ key, ...request }: ChargeRequest, id: string, nowMs: number): Fact {
  const named = { charge_key: key, charge_id: id, ...request }
  if (request.amount === 0) return verdictOf(named, 'amount_too_small')
  const { answers, verdict } = cardBehaviour(request.payment_method)
  if (answers === 'after_action') return { type: 'action_required', ...named }
  if (answers === 'now') return verdictOf(named, verdict)
  return { type: 'processing', ...named, due_at: new Date(nowMs + SLOW_MS).toISOString() }
}

/** The fact that ends `requires_action` or `processing`. */
export function conclude({ key, made: { id, request } }: MadeCharge, verdict: Verdict): Fact {
  return verdictOf({ charge_key: key, charge_id: id, ...request }, verdict)
}

function verdictOf(named: Fields & { charge_key: string; charge_id: string }, verdict: Verdict) {
  if (verdict !== 'approved') return { type: 'declined', ...named, decline_code: verdict } as const
  const type = named.capture_method === 'manual' ? 'authorized' : 'charged'
  return { type, ...named } as const
}

export function isMade(charge: Charge | undefined): charge is MadeCharge {
  return charge?.made !== undefined
}

/** Whether a request is the one that made this charge. A tombstone answers to any. */
export function isSameRequest({ made: known }: Charge, request: ChargeRequest): boolean {
  if (known === undefined) return true
  const { amount, currency, payment_method, capture_method, metadata } = known.request
  return (
    amount === request.amount &&
    currency === request.currency &&
    payment_method === request.payment_method &&
    capture_method === request.capture_method &&
    metadata.payment_id === request.metadata.payment_id &&
    metadata.order_id === request.metadata.order_id
  )
}

/** What a capture comes to: a fact, `repeated` when it was done before, or the reason against it. */
export function decideCapture(
  charge: Charge | undefined,
  amount: number,
): { fact: Fact } | 'repeated' | CaptureRefusal {
  if (!isMade(charge)) return charge === undefined ? 'unknown_charge' : 'not_capturable'
  if (charge.status === 'succeeded') {
    const same = charge.made.request.capture_method === 'manual' && charge.amountCaptured === amount
    return same ? 'repeated' : 'already_captured'
  }
  if (charge.status !== 'requires_capture') return 'not_capturable'
  if (amount > charge.made.request.amount) return 'exceeds_authorized'
  return { fact: { type: 'captured', ...identity(charge), amount } }
}

/** The fact that cancels a charge; undefined when it has ended already. */
export function decideCancel(charge: Charge | undefined, key: string): Fact | undefined {
  if (charge === undefined) {
    const nothing = { charge_id: null, amount: 0, currency: null, metadata: null } as const
    return { type: 'tombstone', charge_key: key, ...nothing }
  }
  if (!isMade(charge) || !MAY_FOLLOW.canceled.includes(charge.status)) return undefined
  return { type: 'canceled', ...identity(charge), amount: charge.made.request.amount }
}

/** The fact of a refund whose key was never seen: done, or failed for ever. */
export function decideRefund(
  charge: Charge | undefined,
  { key, charge_key, amount }: RefundRequest,
  id: string,
): Fact {
  if (!isMade(charge)) {
    const nothing = { charge_id: null, currency: null, metadata: null }
    const reason = charge === undefined ? 'unknown_charge' : 'not_captured'
    return { type: 'refund_failed', charge_key, refund_key: key, amount, ...nothing, reason }
  }
  const named = { ...identity(charge), refund_key: key, amount }
  if (charge.amountCaptured === 0) {
    return { type: 'refund_failed', ...named, reason: 'not_captured' }
  }
  const tooMuch = amount > charge.amountCaptured - charge.amountRefunded
  if (tooMuch) return { type: 'refund_failed', ...named, reason: 'exceeds_captured' }
  return { type: 'refunded', ...named, refund_id: id }
}

function identity({ key, made: { id, request } }: MadeCharge) {
  const { currency, metadata } = request
  return { charge_key: key, charge_id: id, currency, metadata }
}

/** The charge as callers see it; `challengeUrl` makes the page's address from the charge's id. */
export function outcomeOf(charge: Charge, challengeUrl: (id: string) => string): ChargeOutcome {
  const { key, status, made: known, declineCode } = charge
  return {
    key,
    status,
    charge_id: known?.id ?? null,
    amount: known?.request.amount ?? 0,
    amount_captured: charge.amountCaptured,
    amount_refunded: charge.amountRefunded,
    currency: known?.request.currency ?? null,
    ...(declineCode === undefined ? {} : { decline_code: declineCode }),
    ...(status === 'requires_action' && known !== undefined
      ? { next_action: { type: 'redirect', url: challengeUrl(known.id) } }
      : {}),
  }
}
