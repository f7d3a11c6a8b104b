/** Owns the settings of orders: the only reader of its environment. */
import { parseConfig, peerUrl, serviceKeyFile, serviceSettings } from '@quartet/kit/config'
import { z } from 'zod'

const milliseconds = (fallback: number) => z.coerce.number().int().min(1).default(fallback)

const settings = {
  ...serviceSettings,
  PORT: serviceSettings.PORT.default(5002),
  USERS_URL: peerUrl('http://127.0.0.1:5000'),
  PRODUCTS_URL: peerUrl('http://127.0.0.1:5001'),
  PAYMENTS_URL: peerUrl('http://127.0.0.1:5003'),
  /** Ed25519 private key as JWK, with `kid`: signs this service's commands and reads of events. */
  SERVICE_KEY_FILE: serviceKeyFile(),
  /** How long POST /orders waits for the end of its order. */
  WAIT_MS: milliseconds(5_000),
  /** After this long without a sign of life an order's driver is taken for dead. */
  LEASE_MS: milliseconds(10_000),
  /** How long an order may wait for its buyer: pay-later and 3-D Secure. */
  PAYMENT_WINDOW_MS: milliseconds(30 * 60_000),
  /** How long a command to products or payments may take. */
  PEER_TIMEOUT_MS: milliseconds(5_000),
  /** Orders under way, at most: more are refused with 503 before they are written. Those that sleep don't count. */
  MAX_OPEN_ORDERS: z.coerce.number().int().min(1).default(20_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseConfig('orders', settings, env)
}
