/** Owns what a reconciliation is told: its options, and from the environment where the books are. */
import { parseArgs } from 'node:util'
import { ConfigError, parseConfig, peerUrl, secretFile } from '@quartet/kit/config'
import { z } from 'zod'
import { Explained } from '../explained.ts'
import { readDataOption } from '../start/options.ts'
import type { Target } from './books.ts'

const HELP = `Compares orders, reservations, stock, payments, the ledger, the events and the
record of the card processor, id by id. It reads only, and may run while the
shop sells: what is under way is not judged, and what differs is looked at
twice. It exits with 0 when all agree, else with 1, names each difference, and
says what mends it.

  npm run reconcile                   the shop that npm start runs
  npm run reconcile -- --data DIR     the one with its data in DIR
  npm run reconcile -- --mend         also has the shop look again at what it
                                      heals by itself; changes nothing else
  npm run reconcile -- --grace-s 0    judges what changed a moment ago too
                                      (60 seconds where nothing is said)
  npm run reconcile -- --json         a JSON object a line
  npm run reconcile -- --help         this text

A shop elsewhere is found by RECONCILE_USERS_URL, RECONCILE_PRODUCTS_URL,
RECONCILE_ORDERS_URL and RECONCILE_PAYMENTS_URL (postgres://…), PROVIDER_URL and
PROVIDER_API_KEY_FILE. Roles that may only read are enough, but for --mend.`

export type Options = {
  dataDir: string
  graceMs: number
  mend: boolean
  json: boolean
  /** A shop elsewhere; undefined: the one that runs on `dataDir`. */
  target: Target | undefined
}

const DEFAULT_GRACE_S = 60
const MAX_GRACE_S = 86_400

/** Options of `npm run reconcile`; undefined when help was asked for, and given. */
export function readOptions(args: string[], env: NodeJS.ProcessEnv): Options | undefined {
  const values = parse(args)
  if (values.help === true) {
    console.log(HELP)
    return undefined
  }
  return {
    dataDir: readDataOption(values.data === undefined ? [] : ['--data', values.data]),
    graceMs: readGraceS(values['grace-s']) * 1_000,
    mend: values.mend === true,
    json: values.json === true,
    target: readTarget(env),
  }
}

function parse(args: string[]) {
  const options = {
    help: { type: 'boolean', short: 'h' },
    data: { type: 'string' },
    'grace-s': { type: 'string' },
    mend: { type: 'boolean' },
    json: { type: 'boolean' },
  } as const
  try {
    return parseArgs({ args, options, strict: true }).values
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw new Explained(`${reason}. See: npm run reconcile -- --help`, { cause: error })
  }
}

function readGraceS(value: string | undefined): number {
  if (value === undefined) return DEFAULT_GRACE_S
  const seconds = Number(value)
  if (value !== '' && seconds >= 0 && seconds <= MAX_GRACE_S) return seconds
  throw new Explained(`--grace-s wants seconds, from 0 to ${MAX_GRACE_S}.`)
}

const databaseUrl = z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL')
const SETTINGS = {
  RECONCILE_USERS_URL: databaseUrl,
  RECONCILE_PRODUCTS_URL: databaseUrl,
  RECONCILE_ORDERS_URL: databaseUrl,
  RECONCILE_PAYMENTS_URL: databaseUrl,
  PROVIDER_URL: peerUrl('http://127.0.0.1:5010'),
  PROVIDER_API_KEY_FILE: secretFile(),
}

// Whoever names one database means a shop elsewhere: then all of them, never a mixture of two shops.
function readTarget(env: NodeJS.ProcessEnv): Target | undefined {
  if (!Object.keys(SETTINGS).some((name) => name.startsWith('RECONCILE_') && env[name])) {
    return undefined
  }
  try {
    const config = parseConfig('reconcile', SETTINGS, env)
    return {
      databaseUrls: {
        users: config.RECONCILE_USERS_URL,
        products: config.RECONCILE_PRODUCTS_URL,
        orders: config.RECONCILE_ORDERS_URL,
        payments: config.RECONCILE_PAYMENTS_URL,
      },
      provider: { url: config.PROVIDER_URL, apiKey: config.PROVIDER_API_KEY_FILE },
    }
  } catch (error) {
    throw error instanceof ConfigError ? new Explained(error.message, { cause: error }) : error
  }
}
