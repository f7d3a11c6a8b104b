/** Owns the settings of the gateway: the only reader of its environment. */
import { parseConfig, peerUrl, serviceSettings } from '@quartet/kit/config'
import { z } from 'zod'
import { webRoot } from './web/web-root.ts'

const { HOST, PORT, LOG_LEVEL, DATABASE_URL, DATABASE_POOL_SIZE } = serviceSettings
const perMinute = (fallback: number) => z.coerce.number().int().min(1).default(fallback)

const settings = {
  HOST,
  PORT: PORT.default(8080),
  LOG_LEVEL,
  /** Limits are shared through it; without one each replica counts for itself. */
  DATABASE_URL: DATABASE_URL.optional(),
  DATABASE_POOL_SIZE: DATABASE_POOL_SIZE.default(2),
  /** Where browsers reach the shop: https makes cookies Secure. */
  PUBLIC_URL: peerUrl('http://127.0.0.1:8080'),
  /** A folder of built pages, served at `/`; without one the gateway tells there what is where. */
  WEB_ROOT: webRoot().optional(),
  /** How many proxies in front write X-Forwarded-For. */
  TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0),
  SIGN_INS_PER_MINUTE: perMinute(30),
  REQUESTS_PER_MINUTE_BY_ADDRESS: perMinute(6_000),
  REQUESTS_PER_MINUTE_BY_ACCOUNT: perMinute(3_000),
  /** Requests under way at one service; more are refused. */
  MAX_UNDER_WAY: z.coerce.number().int().min(1).default(2_000),
  /** MiB of what services let be shown while they do not answer; 0 keeps nothing. */
  KEPT_COPIES_MIB: z.coerce.number().int().min(0).max(1_024).default(32),
  USERS_URL: peerUrl('http://127.0.0.1:5000'),
  PRODUCTS_URL: peerUrl('http://127.0.0.1:5001'),
  ORDERS_URL: peerUrl('http://127.0.0.1:5002'),
  PAYMENTS_URL: peerUrl('http://127.0.0.1:5003'),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseConfig('gateway', settings, env)
}
