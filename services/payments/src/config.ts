/** Owns the settings of payments: the only reader of its environment. */
import {
  parseConfig,
  peerUrl,
  secretFile,
  serviceKeyFile,
  serviceSettings,
} from '@quartet/kit/config'
import { z } from 'zod'

const milliseconds = (fallback: number) => z.coerce.number().int().min(1).default(fallback)

const settings = {
  ...serviceSettings,
  PORT: serviceSettings.PORT.default(5003),
  USERS_URL: peerUrl('http://127.0.0.1:5000'),
  ORDERS_URL: peerUrl('http://127.0.0.1:5002'),
  /** Ed25519 private key as JWK, with `kid`: signs this service's reads of events. */
  SERVICE_KEY_FILE: serviceKeyFile(),
  PROVIDER_URL: peerUrl('http://127.0.0.1:5010'),
  /** Names the file with the key that the provider knows this shop by. */
  PROVIDER_API_KEY_FILE: secretFile(),
  PROVIDER_TIMEOUT_MS: milliseconds(10_000),
  /** Names the file with the secret that signs the provider's webhooks; without it none are taken. */
  WEBHOOK_SECRET_FILE: secretFile()
    .pipe(z.string().min(16, 'must name a file with 16 characters or more'))
    .optional(),
  /** A command that isn't done after this long is answered `processing`, and goes on. */
  COMMAND_BUDGET_MS: milliseconds(2_000),
  /** After this long without a sign of life whoever drives a payment is taken for dead. */
  LEASE_MS: milliseconds(15_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseConfig('payments', settings, env)
}
