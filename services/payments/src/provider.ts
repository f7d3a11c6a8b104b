/** Owns the way to the payment provider: batches out, what is known of each item back. Unknown stays unknown. */
import { withTimeout } from '@quartet/kit/timeout'
import type { World } from '@quartet/kit/world'
import { z } from 'zod'
import type { Config } from './config.ts'
import { chargeKeyOf, type Call, type ChargeState } from './domain.ts'

type RefundState = { key: string; status: 'succeeded' | 'failed'; reason: string | null }

/** What the provider told, by key; a key that is missing got no answer, or none that is understood. */
export type Told = { charges: Map<string, ChargeState>; refunds: Map<string, RefundState> }

/** A provider. The simulated one takes a batch a call; another may send its calls in parallel. */
export type Provider = { perform: (calls: Call[]) => Promise<Told> }

const chargeAnswer = z.object({
  key: z.string(),
  status: z.string(),
  amount_captured: z.int().catch(0),
  decline_code: z.string().optional(),
  next_action: z.object({ type: z.string(), url: z.string() }).optional(),
})

const refundAnswer = z.object({
  key: z.string(),
  status: z.string(),
  reason: z.string().optional(),
})

/** Items a request of the provider's API, at most. */
const MAX_BATCH = 1_000

type ProviderWorld = Pick<World<Config>, 'config' | 'fetch' | 'timers' | 'log'>

const KINDS = ['charge', 'lookup', 'cancel', 'capture', 'refund'] as const
type Kind = (typeof KINDS)[number]

/** The provider behind PROVIDER_URL: the API of tools/provider. */
export function createProviderClient(world: ProviderWorld): Provider {
  return {
    async perform(calls) {
      const batches = KINDS.flatMap((kind) => chunks(kind, calls))
      const answers = await Promise.all(
        batches.map(({ kind, items }) => askSafely(world, kind, items)),
      )
      const told: Told = { charges: new Map(), refunds: new Map() }
      for (const [index, outcomes] of answers.entries()) {
        for (const outcome of outcomes) keep(told, batches[index]?.kind, outcome)
      }
      return told
    },
  }
}

function chunks(kind: Kind, calls: Call[]): { kind: Kind; items: unknown[] }[] {
  const items = calls.filter((call) => call.kind === kind).map(toItem)
  const count = Math.ceil(items.length / MAX_BATCH)
  return Array.from({ length: count }, (_, n) => ({
    kind,
    items: items.slice(n * MAX_BATCH, (n + 1) * MAX_BATCH),
  }))
}

function toItem(call: Call): unknown {
  const { payment } = call
  const key = chargeKeyOf(payment)
  switch (call.kind) {
    case 'charge':
      return {
        key,
        amount: payment.amount,
        currency: payment.currency,
        payment_method: payment.paymentMethod,
        capture_method: payment.captureMethod,
        metadata: {
          payment_id: payment.id,
          ...(payment.orderId === null ? {} : { order_id: payment.orderId }),
        },
      }
    case 'lookup':
      return key
    case 'cancel':
      return { charge_key: key }
    case 'capture':
      return { charge_key: key, amount: call.amount }
    case 'refund':
      return { key: call.refund.id, charge_key: key, amount: call.refund.amount }
  }
}

const PATHS: Record<Kind, { path: string; field: string }> = {
  charge: { path: '/v1/charges', field: 'charges' },
  lookup: { path: '/v1/lookups', field: 'keys' },
  cancel: { path: '/v1/cancels', field: 'cancels' },
  capture: { path: '/v1/captures', field: 'captures' },
  refund: { path: '/v1/refunds', field: 'refunds' },
}

// A batch that is refused as a whole is halved: what is wrong with one item must not hold up the rest.
async function askSafely(world: ProviderWorld, kind: Kind, items: unknown[]): Promise<unknown[]> {
  try {
    return await ask(world, kind, items)
  } catch (error) {
    const isRefused = error instanceof Refused
    if (isRefused && items.length > 1) {
      const middle = Math.ceil(items.length / 2)
      const halves = [items.slice(0, middle), items.slice(middle)]
      return (await Promise.all(halves.map((half) => askSafely(world, kind, half)))).flat()
    }
    const level = isRefused ? 'error' : 'warn'
    world.log[level]({ error, kind, items: items.length }, 'the provider gave no usable answer')
    return []
  }
}

class Refused extends Error {}

async function ask(
  { config, fetch, timers }: ProviderWorld,
  kind: Kind,
  items: unknown[],
): Promise<unknown[]> {
  const { path, field } = PATHS[kind]
  return withTimeout(timers, config.PROVIDER_TIMEOUT_MS, async (signal) => {
    const response = await fetch(config.PROVIDER_URL + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${config.PROVIDER_API_KEY_FILE}`,
      },
      body: JSON.stringify({ [field]: items }),
      signal,
    })
    if (!response.ok) {
      await response.body?.cancel()
      const message = `the provider answered ${response.status}`
      throw response.status === 400 ? new Refused(message) : new Error(message)
    }
    return z.object({ outcomes: z.array(z.unknown()) }).parse(await response.json()).outcomes
  })
}

const CHARGE_STATUSES = [
  'succeeded',
  'requires_capture',
  'requires_action',
  'processing',
  'declined',
  'canceled',
] as const

// What isn't understood is left out: it means unknown, never refused (rule 4).
function keep(told: Told, kind: Kind | undefined, outcome: unknown): void {
  if (kind === 'refund') {
    const { data } = refundAnswer.safeParse(outcome)
    if (data?.status !== 'succeeded' && data?.status !== 'failed') return
    told.refunds.set(data.key, { key: data.key, status: data.status, reason: data.reason ?? null })
    return
  }
  const { data } = chargeAnswer.safeParse(outcome)
  const status = CHARGE_STATUSES.find((known) => known === data?.status)
  if (data === undefined || status === undefined) return
  told.charges.set(data.key, {
    key: data.key,
    status,
    amountCaptured: data.amount_captured,
    code: data.decline_code ?? null,
    nextAction: data.next_action ?? null,
  })
}
