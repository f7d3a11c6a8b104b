/** Owns what webhooks say: which entries of the record are told, as what, and how that is signed. Pure. */
import { createHmac } from 'node:crypto'
import type { RecordEntry, WebhookEvent, WebhookType } from './contract.ts'
import { isMade, outcomeOf, type Charge, type MadeCharge } from './domain.ts'
import { isToldByWebhook } from './test-tokens.ts'

const TYPES = {
  charged: 'charge.succeeded',
  captured: 'charge.succeeded',
  authorized: 'charge.requires_capture',
  declined: 'charge.declined',
  canceled: 'charge.canceled',
} as const satisfies Partial<Record<RecordEntry['type'], WebhookType>>

const STATUSES = {
  charged: 'succeeded',
  captured: 'succeeded',
  authorized: 'requires_capture',
  declined: 'declined',
  canceled: 'canceled',
} as const satisfies Record<keyof typeof TYPES, Charge['status']>

type ToldEntry = Extract<RecordEntry, { type: keyof typeof TYPES }>

/** An entry that webhooks tell, and its charge. */
export type Told = { entry: ToldEntry; charge: MadeCharge }

/** An entry with its charge, if webhooks tell it; ordinary charges, which their answers tell, never are. */
export function toldOf(entry: RecordEntry, charge: Charge | undefined): Told | undefined {
  if (!isMade(charge) || !isToldByWebhook(charge.made.request.payment_method)) return undefined
  return isOfType(entry) ? { entry, charge } : undefined
}

const isOfType = (entry: RecordEntry): entry is ToldEntry => Object.hasOwn(TYPES, entry.type)

/** The event of an entry: the charge as it was then, whatever has become of it since. */
export function toEvent({ entry, charge: { key, made } }: Told): WebhookEvent {
  const isPaid = entry.type === 'charged' || entry.type === 'captured'
  const then: Charge = {
    key,
    made,
    status: STATUSES[entry.type],
    amountCaptured: isPaid ? entry.amount : 0,
    amountRefunded: 0,
    ...(entry.type === 'declined' ? { declineCode: entry.decline_code } : {}),
  }
  return {
    id: `evt_${entry.sequence}`,
    type: TYPES[entry.type],
    created: Math.floor(Date.parse(entry.at) / 1_000),
    data: { ...outcomeOf(then, () => ''), metadata: made.request.metadata },
  }
}

/**
 * `Provider-Signature` of a body, as Stripe signs (https://docs.stripe.com/webhooks#verify-manually): one
 * v1 a secret, so that a secret is replaced while both are known.
 */
export function signatureOf(body: string, secrets: string[], nowMs: number): string {
  const timeS = Math.floor(nowMs / 1_000)
  const sign = (secret: string) =>
    createHmac('sha256', secret).update(`${timeS}.${body}`).digest('hex')
  return [`t=${timeS}`, ...secrets.map((secret) => `v1=${sign(secret)}`)].join(',')
}
