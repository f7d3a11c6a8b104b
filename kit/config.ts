/** Owns how the environment becomes a frozen, typed config, or one readable error. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { PrivateJwk } from './crypto.ts'

/** A setting that names a file, read at start: the value is the file's text, trimmed. */
export const secretFile = () =>
  z.string().transform((path, context) => {
    try {
      return readFileSync(path, 'utf8').trim()
    } catch (error) {
      // Not the error's message: it repeats the value, which may be a secret put here by mistake.
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'no such file'
      context.addIssue({ code: 'custom', message: `names a file that cannot be read (${reason})` })
      return z.NEVER
    }
  })

/** The settings that every service has. */
export const serviceSettings = {
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL'),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(200).default(10),
  /** Events that every subscriber has read are kept for this long. */
  EVENT_RETENTION_DAYS: z.coerce.number().int().min(1).max(36_500).default(30),
  /** Requests are shed where more than one of ten would take longer than this. */
  ADMISSION_TARGET_MS: z.coerce.number().int().min(1).default(500),
  /** Servers of one NATS with JetStream, separated by commas. Without it there is no broker. */
  NATS_URL: natsServers().optional(),
  /** A `.creds` file, or one with a line `user:password`, or one with a token. */
  NATS_CREDENTIALS_FILE: secretFile().optional(),
  /** Begins the names of streams and subjects: two shops on one NATS need two. */
  NATS_PREFIX: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'must be up to 32 of a-z, 0-9 and -')
    .default('quartet'),
  /** Copies of each stream: 1, or 3 or 5 in a cluster. */
  NATS_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
}

// Without user and password: an address may be told in a log.
function natsServers() {
  const form = /^(nats|tls):\/\/[^\s@/?#]+$/
  return z
    .string()
    .transform((text) => text.split(',').map((url) => url.trim()))
    .refine((urls) => urls.every((url) => form.test(url)), {
      message:
        'must be nats:// or tls:// addresses, separated by commas; credentials belong in NATS_CREDENTIALS_FILE',
    })
}

/** A base URL of a peer, without a trailing slash. */
export const peerUrl = (fallback: string) =>
  z
    .url({ protocol: /^https?$/ })
    .default(fallback)
    .transform((url) => url.replace(/\/+$/, ''))

const serviceKey = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  d: z.string(),
  kid: z.string(),
})

/** A setting that names the file of a service's own key: an Ed25519 private key as JWK with `kid`. */
export const serviceKeyFile = () =>
  secretFile().transform((text, context): PrivateJwk => {
    try {
      return { ...serviceKey.parse(JSON.parse(text)), alg: 'EdDSA', use: 'sig' }
    } catch {
      const message = 'must name an Ed25519 private key as JWK with kid'
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }
  })

/** Settings that are wrong; the message names each variable and what it must be. */
export class ConfigError extends Error {
  constructor(service: string, issues: string[]) {
    super(`${service} cannot start with this environment:\n  ${issues.join('\n  ')}`)
    this.name = 'ConfigError'
  }
}

/**
 * Parses `env` by `shape`; throws ConfigError naming every variable that is wrong, never its value.
 * An empty variable counts as absent, as in `PORT= npm start` or a blank line of a compose file.
 */
export function parseConfig<Shape extends z.ZodRawShape>(
  service: string,
  shape: Shape,
  env: NodeJS.ProcessEnv,
): Readonly<z.output<z.ZodObject<Shape>>> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const result = z.object(shape).safeParse(present)
  if (result.success) return Object.freeze(result.data)
  const issues = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new ConfigError(service, issues)
}
