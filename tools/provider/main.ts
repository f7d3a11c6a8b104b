/** Owns the processor's process: its environment, the real clock and randomness, its signals. */
import { z } from 'zod'
import { ConfigError, parseConfig, secretFile } from '@quartet/kit/config'
import { createLog } from '@quartet/kit/log'
import { serveUntilSignal } from '@quartet/kit/run-service'
import { realRandom } from '@quartet/kit/random'
import { realClock, realTimers } from '@quartet/kit/time'
import { createProvider } from './app.ts'
import { RecordRefused } from './record.ts'

const httpUrl = () => z.url({ protocol: /^https?$/ })
const secret = z.string().min(16, 'must name a file with 16 characters or more')
const many = z.string().transform((text) => text.split(/[\s,]+/).filter((item) => item !== ''))

const SETTINGS = {
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(5010),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  DATA_FILE: z.string().min(1),
  API_KEY_FILE: secretFile().pipe(secret),
  PUBLIC_URL: httpUrl()
    .transform((url) => url.replace(/\/+$/, ''))
    .optional(),
  /** Where the shop takes webhooks. */
  WEBHOOK_URL: httpUrl().optional(),
  /** Names the file with what signs them, one secret a line: the new one and the old while it is replaced. */
  WEBHOOK_SECRET_FILE: secretFile().pipe(many).pipe(z.array(secret).min(1).max(4)).optional(),
  /** Origins of shops that customers may be sent back to, with commas between. */
  RETURN_ORIGINS: many
    .pipe(z.array(httpUrl().transform((url) => new URL(url).origin)).max(100))
    .optional(),
}

function webhooksOf(url: string | undefined, secrets: string[] | undefined) {
  if (url === undefined) return undefined
  if (secrets === undefined) {
    throw new ConfigError('provider', ['WEBHOOK_SECRET_FILE: is wanted with WEBHOOK_URL'])
  }
  return { url, secrets, fetch }
}

async function main(): Promise<void> {
  const config = parseConfig('provider', SETTINGS, process.env)
  const { HOST: host, PORT: port } = config
  const log = createLog('provider', config.LOG_LEVEL)
  const provider = createProvider({
    dataFile: config.DATA_FILE,
    apiKey: config.API_KEY_FILE,
    clock: realClock,
    timers: realTimers,
    random: realRandom,
    log,
    publicUrl: config.PUBLIC_URL ?? `http://${host}:${port}`,
    webhooks: webhooksOf(config.WEBHOOK_URL, config.WEBHOOK_SECRET_FILE),
    returnOrigins: config.RETURN_ORIGINS,
  })
  await serveUntilSignal({
    app: provider,
    host,
    port,
    onListening: (actualPort) => log.info({ port: actualPort }, 'listening'),
    onCrash: (error) => log.error({ error }, 'ended by an unexpected error'),
  })
}

try {
  await main()
} catch (error) {
  const isExplained = error instanceof ConfigError || error instanceof RecordRefused
  console.error(isExplained ? error.message : error)
  process.exit(1)
}
