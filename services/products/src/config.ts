/** Owns the settings of products: the only reader of its environment. */
import { parseConfig, peerUrl, serviceKeyFile, serviceSettings } from '@quartet/kit/config'
import { z } from 'zod'

const settings = {
  ...serviceSettings,
  PORT: serviceSettings.PORT.default(5001),
  USERS_URL: peerUrl('http://127.0.0.1:5000'),
  ORDERS_URL: peerUrl('http://127.0.0.1:5002'),
  /** Ed25519 private key as JWK, with `kid`: signs this service's reads of events. */
  SERVICE_KEY_FILE: serviceKeyFile(),
  /** A command that isn't done after this long is answered `processing`, and goes on. */
  COMMAND_BUDGET_MS: z.coerce.number().int().min(1).default(2_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseConfig('products', settings, env)
}
