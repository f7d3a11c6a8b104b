/** Owns how the provider's webhooks are read: that they are its own and new, and what they say of which charge. */
import { id } from '@quartet/kit/schema'
import type { World } from '@quartet/kit/world'
import { z } from 'zod'
import type { ChargeState } from './domain.ts'
import { readCharge } from './provider.ts'

export const SIGNATURE_HEADER = 'provider-signature'

/** As Stripe's libraries allow: time for the way, and clocks that differ; a copy is of no use after it. */
const TOLERANCE_S = 300
/** Secrets that sign at once while one is replaced. */
const MAX_SIGNATURES = 8

type Signed = { header: string | undefined; body: string; secret: string }

/**
 * Whether the provider signed this body, within five minutes: `t=<seconds>,v1=<hex HMAC-SHA256 of
 * "<t>.<body>">`, one v1 a secret (https://docs.stripe.com/webhooks#verify-manually).
 */
export function isSigned(
  { clock, crypto }: Pick<World<unknown>, 'clock' | 'crypto'>,
  { header = '', body, secret }: Signed,
): boolean {
  const fields = header.split(',').map((field) => field.split('='))
  const valuesOf = (wanted: string) =>
    fields.flatMap(([name, value = '']) => (name === wanted ? [value] : []))
  const [time = ''] = valuesOf('t')
  if (!/^\d{1,12}$/.test(time)) return false
  if (Math.abs(clock.now() / 1_000 - Number(time)) > TOLERANCE_S) return false
  return valuesOf('v1')
    .slice(0, MAX_SIGNATURES)
    .some((mac) => crypto.isHmacSha256(Buffer.from(mac, 'hex'), secret, `${time}.${body}`))
}

/** What a webhook says: how a charge of one of our payments stands. */
export type Webhook = { paymentId: string; charge: ChargeState }

const CHARGE_TYPES = new Set([
  'charge.succeeded',
  'charge.requires_capture',
  'charge.declined',
  'charge.canceled',
])

const named = z.object({ type: z.string().max(100) })
// What is no id at all is no payment's either.
const metadata = z.object({ payment_id: id().catch('') })
const charged = z.object({ data: z.looseObject({ metadata }) })

/** What a body says whose signature is right; a newer provider may say more than is understood here. */
export function readWebhook(body: string): Webhook | 'unknown_type' | 'unreadable' {
  const event = parseJson(body)
  const type = named.safeParse(event).data?.type
  if (type === undefined) return 'unreadable'
  if (!CHARGE_TYPES.has(type)) return 'unknown_type'
  const data = charged.safeParse(event).data?.data
  const charge = readCharge(data)
  if (data === undefined || charge === undefined) return 'unreadable'
  return { paymentId: data.metadata.payment_id, charge }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
