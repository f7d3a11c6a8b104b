/** Owns the way to the payment provider: batches out, what is known of each item back. Unknown stays unknown. */
import { withTimeout } from '@quartet/kit/timeout'
import type { World } from '@quartet/kit/world'
import { z } from 'zod'
import type { Config } from './config.ts'
import { chargeKeyOf, type Call, type ChargeState } from './domain.ts'

type RefundState = { key: string; status: 'succeeded' | 'failed'; reason: string | null }

/** What the provider told, by key; a key that is missing got no answer, or none that is understood. */
export type Told = { charges: Map<string, ChargeState>; refunds: Map<string, RefundState> }

/** Its name in the address of its webhooks, which provider-webhooks.ts reads. */
export const PROVIDER = 'simulated'

/** A provider. The simulated one takes a batch a call; another may send its calls in parallel. */
export type Provider = { perform: (calls: Call[]) => Promise<Told> }

// What matters must be right, else the answer isn't understood; the rest is left out when it is wrong.
const code = z.string().regex(/^[\w.:-]{1,64}$/)
const nextAction = z.object({ type: code, url: z.url({ protocol: /^https?$/ }).max(2_000) })

const chargeAnswer = z.union([
  z.object({
    key: z.string(),
    status: z.enum(['requires_capture', 'requires_action', 'processing', 'canceled']),
    next_action: nextAction.nullish().catch(null),
  }),
  z.object({
    key: z.string(),
    status: z.literal('declined'),
    decline_code: code.catch('declined'),
  }),
  z.object({ key: z.string(), status: z.literal('succeeded'), amount_captured: z.int().min(1) }),
])

const refundAnswer = z.object({
  key: z.string(),
  status: z.enum(['succeeded', 'failed']),
  reason: code.nullish().catch(null),
})

// What a refund asks for never changes: whose key stands for something else was not made, nor will be.
const refundConflict = z.object({ key: z.string(), status: z.literal('conflict') })

const refusedCapture = z.object({ key: z.string(), status: z.literal('invalid') })
const notFound = z.object({ key: z.string(), status: z.literal('not_found') })

/** Items a request of the provider's API, at most. */
const MAX_BATCH = 1_000

type ProviderWorld = Pick<World<Config>, 'config' | 'fetch' | 'timers' | 'log'>

const KINDS = ['charge', 'lookup', 'cancel', 'capture', 'refund'] as const
type Kind = (typeof KINDS)[number]
type Batch = { kind: Kind; items: unknown[] }

/** The provider behind PROVIDER_URL: the API of tools/provider. */
export function createProviderClient(world: ProviderWorld): Provider {
  return {
    async perform(calls) {
      const told: Told = { charges: new Map(), refunds: new Map() }
      const answers = await askAll(
        world,
        KINDS.flatMap((kind) => chunks(kind, calls)),
      )
      keep(world, told, answers)
      // A capture that is refused says that we don't know how the charge stands.
      const refused = answers.flatMap(({ outcome }) => refusedCapture.safeParse(outcome).data ?? [])
      const items = refused.map((capture) => capture.key)
      if (items.length > 0) keep(world, told, await askAll(world, [{ kind: 'lookup', items }]))
      for (const key of items.filter((each) => !hasEnded(told.charges.get(each)))) {
        world.log.error({ key }, 'the provider refuses a capture')
      }
      return told
    },
  }
}

const hasEnded = (charge: ChargeState | undefined): boolean =>
  charge?.status === 'succeeded' || charge?.status === 'canceled'

type Answer = { kind: Kind; outcome: unknown }

async function askAll(world: ProviderWorld, batches: Batch[]): Promise<Answer[]> {
  const answers = await Promise.all(
    batches.map(async ({ kind, items }) => {
      const outcomes = await askSafely(world, kind, items)
      return outcomes.map((outcome) => ({ kind, outcome }))
    }),
  )
  return answers.flat()
}

function chunks(kind: Kind, calls: Call[]): Batch[] {
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

// What isn't understood is left out: it means unknown, never refused (rule 4).
function keep({ log }: ProviderWorld, told: Told, answers: Answer[]): void {
  for (const { kind, outcome } of answers) {
    const isKept = kind === 'refund' ? keepRefund(told, outcome) : keepCharge(told, outcome)
    const isExpected =
      notFound.safeParse(outcome).success || refusedCapture.safeParse(outcome).success
    if (!isKept && !isExpected)
      log.error({ kind, ...namesOf(outcome) }, 'the provider said what is not understood')
  }
}

function keepRefund({ refunds }: Told, outcome: unknown): boolean {
  const inUse = refundConflict.safeParse(outcome).data
  const failed = { ...inUse, status: 'failed', reason: 'key_in_use' }
  const { data } = refundAnswer.safeParse(inUse === undefined ? outcome : failed)
  if (data !== undefined) refunds.set(data.key, { ...data, reason: data.reason ?? null })
  return data !== undefined
}

function keepCharge({ charges }: Told, outcome: unknown): boolean {
  const charge = readCharge(outcome)
  if (charge !== undefined) charges.set(charge.key, charge)
  return charge !== undefined
}

/** A charge as the provider tells it; undefined when it isn't understood. */
export function readCharge(outcome: unknown): ChargeState | undefined {
  const { data } = chargeAnswer.safeParse(outcome)
  if (data === undefined) return undefined
  return {
    key: data.key,
    status: data.status,
    amountCaptured: data.status === 'succeeded' ? data.amount_captured : 0,
    code: data.status === 'declined' ? data.decline_code : null,
    nextAction: 'next_action' in data ? (data.next_action ?? null) : null,
  }
}

// Of a foreign answer only what names it: the rest may be anything.
const named = z.object({ key: z.string().max(200), status: z.string().max(40) }).partial()
const namesOf = (outcome: unknown) => named.safeParse(outcome).data ?? {}
