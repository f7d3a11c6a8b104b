/** Owns what comes of webhooks: those at once are one batch, each written as an answer is: forward only (rule 9). */
import { createBatcher } from '@quartet/kit/batch'
import type { World } from '@quartet/kit/world'
import type { Config } from './config.ts'
import { observeCharge } from './domain.ts'
import type { Webhook } from './provider-webhooks.ts'
import { findPayments } from './store.ts'
import type { Heard, Worker } from './work.ts'

/** `known`: it says nothing new, as a repeat or a late one does. `not_stored`: the sweep asks instead. */
type WebhookOutcome = 'written' | 'known' | 'unknown_payment' | 'not_stored'

/** Takes webhooks whose signature is right; resolves once what they say is committed. */
type WebhookDesk = { take: (webhook: Webhook) => Promise<WebhookOutcome> }

const LANES = 2

export function createWebhookDesk(world: World<Config>, worker: Worker): WebhookDesk {
  const batcher = createBatcher<Webhook, WebhookOutcome>({
    name: 'webhooks',
    timers: world.timers,
    lanes: LANES,
    async run(webhooks) {
      const outcomes = await takeAll(world, worker, webhooks)
      return webhooks.map((webhook) => outcomes.get(webhook) ?? 'known')
    },
  })
  return { take: (webhook) => batcher.add(webhook) }
}

async function takeAll(
  world: World<Config>,
  worker: Worker,
  webhooks: Webhook[],
): Promise<Map<Webhook, WebhookOutcome>> {
  const ids = [...new Set(webhooks.map(({ paymentId }) => paymentId))]
  const payments = await findPayments(world.db, ids)
  const outcomes = new Map<Webhook, WebhookOutcome>()
  const first = new Map<string, Heard & { webhook: Webhook }>()
  const later: Webhook[] = []
  for (const webhook of webhooks) {
    const { paymentId, charge } = webhook
    const payment = payments.get(paymentId)
    if (payment === undefined) outcomes.set(webhook, 'unknown_payment')
    // What says nothing new now never will: payments and charges move forward only.
    else if (observeCharge(payment, charge) === payment) outcomes.set(webhook, 'known')
    else if (first.has(paymentId)) later.push(webhook)
    else first.set(paymentId, { webhook, payment, charge })
  }
  if (first.size === 0) return outcomes
  const written = await worker.hear([...first.values()])
  for (const { webhook, payment } of first.values()) {
    outcomes.set(webhook, written.has(payment.id) ? 'written' : 'not_stored')
  }
  // Of one payment one after the other: the second is told apart by what the first left.
  return new Map([...outcomes, ...(await takeAll(world, worker, later))])
}
