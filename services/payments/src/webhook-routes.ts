/** Owns the HTTP of webhooks: the signature first, then what the body says. */
import { withLimitedBody } from '@quartet/kit/body-limit'
import type { Http } from '@quartet/kit/http'
import { Problem } from '@quartet/kit/problem'
import { countOutcomes, type Metrics } from '@quartet/kit/telemetry'
import type { World } from '@quartet/kit/world'
import type { Config } from './config.ts'
import { routes } from './contract.ts'
import { isSigned, readWebhook, SIGNATURE_HEADER } from './provider-webhooks.ts'
import { PROVIDER } from './provider.ts'
import { createWebhookDesk } from './webhooks.ts'
import type { Worker } from './work.ts'

type Dependencies = { world: World<Config>; worker: Worker; metrics: Metrics }

/** Far above any event of a charge: whoever sends may be anybody. */
const MAX_BODY_BYTES = 64 * 1024

// Ours to find out about; the rest is as usual.
const ODD = new Set(['unknown_type', 'unreadable', 'unknown_payment', 'not_stored'])

/** Whatever is signed is answered 200, else its sender would go on: what it says here is counted. */
export function addWebhookRoutes(http: Http, { world, worker, metrics }: Dependencies): void {
  const secret = world.config.WEBHOOK_SECRET_FILE
  const desk = createWebhookDesk(world, worker)
  const help = 'Webhooks of the payment provider, by what came of them.'
  const counter = countOutcomes(metrics, 'webhooks_total', help)

  http.openapi(routes.webhook, async (c) => {
    const { provider } = c.req.valid('param')
    if (provider !== PROVIDER) throw notTaken('Payments has no provider of this name.')
    if (secret === undefined) throw notTaken('WEBHOOK_SECRET_FILE of payments is not set.')
    const body = await (await withLimitedBody(c.req.raw, MAX_BODY_BYTES)).text()
    if (!isSigned(world, { header: c.req.header(SIGNATURE_HEADER), body, secret })) {
      counter.inc({ outcome: 'not_signed' })
      throw notSigned
    }
    const webhook = readWebhook(body)
    const isUnderstood = typeof webhook !== 'string'
    const outcome = isUnderstood ? await desk.take(webhook) : webhook
    counter.inc({ outcome })
    if (ODD.has(outcome)) {
      const payment = isUnderstood ? webhook.paymentId : null
      world.log.warn({ outcome, provider, payment }, 'a webhook changes nothing here')
    }
    return c.json({ received: true } as const, 200)
  })
}

const notTaken = (detail: string) =>
  new Problem('not_found', 'No webhooks are taken here', { detail })

// One sentence for all that may be wrong: who signs rightly need not know more.
const notSigned = new Problem('invalid', 'The signature is not right', {
  code: 'invalid_signature',
  detail: 'Provider-Signature must sign this very body, not more than five minutes ago.',
})
