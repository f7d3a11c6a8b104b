/** Owns the settings of users: the only reader of its environment. */
import { MAX_ACCESS_TOKEN_TTL_S } from '@quartet/kit/auth'
import { ConfigError, parseConfig, peerUrl, secretFile, serviceSettings } from '@quartet/kit/config'
import { z } from 'zod'
import { emailSchema, newPasswordSchema } from './contract.ts'

const DAY_S = 24 * 3_600

const seconds = (fallback: number, min: number) =>
  z.coerce.number().int().min(min).default(fallback)

const settings = {
  ...serviceSettings,
  PORT: serviceSettings.PORT.default(5000),
  /** Services that read this one's events, for their public keys. */
  PRODUCTS_URL: peerUrl('http://127.0.0.1:5001'),
  ORDERS_URL: peerUrl('http://127.0.0.1:5002'),
  PAYMENTS_URL: peerUrl('http://127.0.0.1:5003'),
  /** 32 random bytes as base64url: seals the private signing keys in the database. */
  KEY_ENCRYPTION_SECRET_FILE: secretFile().transform(toSecret),
  /** Passwords hashed at once: each takes a core and 19 MiB. */
  HASH_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(1),
  ACCESS_TOKEN_TTL_S: seconds(900, 30).pipe(z.int().max(MAX_ACCESS_TOKEN_TTL_S)),
  REFRESH_TOKEN_TTL_S: seconds(30 * DAY_S, 60),
  /** A guest whose session has ended is erased when it came longer ago than this. */
  GUEST_RETENTION_DAYS: z.coerce.number().int().min(1).max(36_500).default(365),
  /** Age at which a signing key is followed by a new one. */
  KEY_ROTATION_S: seconds(30 * DAY_S, 3_600),
  /** An admin with this e-mail is made at start when no account has it. */
  BOOTSTRAP_ADMIN_EMAIL: emailSchema().optional(),
  BOOTSTRAP_ADMIN_PASSWORD_FILE: secretFile().pipe(newPasswordSchema()).optional(),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig(env: NodeJS.ProcessEnv = process.env) {
  const config = parseConfig('users', settings, env)
  if (config.BOOTSTRAP_ADMIN_EMAIL !== undefined && !config.BOOTSTRAP_ADMIN_PASSWORD_FILE) {
    const issue = 'BOOTSTRAP_ADMIN_PASSWORD_FILE: is needed with BOOTSTRAP_ADMIN_EMAIL'
    throw new ConfigError('users', [issue])
  }
  return config
}

function toSecret(text: string, context: z.RefinementCtx): Uint8Array {
  const secret = Buffer.from(text, 'base64url')
  if (secret.length === 32) return secret
  context.addIssue({ code: 'custom', message: 'must name a file of 32 bytes as base64url' })
  return z.NEVER
}
