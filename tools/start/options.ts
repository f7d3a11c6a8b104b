/** Owns the command line of `npm start` and its friends. */
import { resolve } from 'node:path'
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { Explained } from '../explained.ts'
import { defaultDataDir } from '../postgres/data-folder.ts'
import { DEFAULT_PORT_BASE, isScalable, SCALABLE, type ScalableName } from './plan.ts'
import { MAX_REPLICAS } from './replica-set.ts'

export type StartOptions = {
  portBase: number
  dataDir: string
  /** Empties the data folder first. */
  fresh: boolean
  /** Services and gateway in the supervisor's own process. */
  oneProcess: boolean
  /** How many of each; one where nothing is said. */
  replicas: Replicas
  /** Whether the gateway serves the web pages, which are built where they are missing or old. */
  pages: boolean
}

export type Replicas = Partial<Record<ScalableName, number>>

const LOWEST_PORT_BASE = 1024
const HIGHEST_PORT_BASE = 65_000

const HELP = `Starts the whole shop: four services, PostgreSQL, a card processor and the gateway.

  npm start                          on ports 5000 to 5003, 5010, 5032 and 8080
  npm start -- --port-base 15000     on 15000 to 15003, 15010, 15032 and 15080
  npm start -- --data DIR            with its data in DIR
  npm start -- --fresh               removes the data first, and begins anew
  npm start -- --one-process         services and gateway in one process
  npm start -- --replicas orders=2,products=2
                                     more than one of a service, or of the gateway
  npm start -- --no-pages            the services alone, without building the shop's web pages
  npm start -- --help                this text

  npm run status                     what runs where, and how it is
  npm run credentials                how to log in
  npm run restart -- orders          a new process for an old one; no request fails
  npm run scale -- orders=3          more or fewer replicas, while it runs
  npm start -w services/orders       one service alone

The first start takes e-mail and password of the two demo accounts from QUARTET_ADMIN_EMAIL,
QUARTET_ADMIN_PASSWORD, QUARTET_CUSTOMER_EMAIL and QUARTET_CUSTOMER_PASSWORD, where they are set.
Data goes to .quartet in this folder; when started by root, to a folder below /var/lib/quartet.`

/** Options of `npm start`; undefined when help was asked for, and given. */
export function readStartOptions(args: string[]): StartOptions | undefined {
  const values = parse(args, {
    help: { type: 'boolean', short: 'h' },
    fresh: { type: 'boolean' },
    'one-process': { type: 'boolean' },
    replicas: { type: 'string' },
    'no-pages': { type: 'boolean' },
    'port-base': { type: 'string' },
    data: { type: 'string' },
  })
  if (values['help'] === true) {
    console.log(HELP)
    return undefined
  }
  const oneProcess = values['one-process'] === true
  if (oneProcess && values['replicas'] !== undefined) {
    throw new Explained('--one-process runs everything once: leave out --replicas, or it.')
  }
  return {
    portBase: readPortBase(values['port-base']),
    dataDir: readDataDir(values['data']),
    fresh: values['fresh'] === true,
    oneProcess,
    replicas: readReplicas(values['replicas']),
    pages: values['no-pages'] !== true,
  }
}

/** The data folder that `--data DIR` names, or the default: the only option of status and credentials. */
export function readDataOption(args: string[]): string {
  return readDataDir(parse(args, { data: { type: 'string' } })['data'])
}

function parse(args: string[], options: ParseArgsOptionsConfig): Record<string, unknown> {
  try {
    return parseArgs({ args, options, strict: true }).values
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    throw new Explained(`${reason}. See: npm start -- --help`, { cause: error })
  }
}

// npm runs scripts in the package's folder; INIT_CWD is where the person stands.
function readDataDir(value: unknown): string {
  if (value === '') throw new Explained('--data wants the name of a folder.')
  if (typeof value !== 'string') return defaultDataDir()
  return resolve(process.env['INIT_CWD'] ?? process.cwd(), value)
}

/** `orders=2,products=3` as an object. */
export function readReplicas(value: unknown): Replicas {
  if (typeof value !== 'string') return {}
  const replicas: Replicas = {}
  for (const pair of value.split(',')) {
    const [name = '', number = ''] = pair.split('=')
    const count = Number(number)
    if (!isScalable(name) || !Number.isInteger(count) || count < 1 || count > MAX_REPLICAS) {
      throw new Explained(
        `"${pair}" is not a number of replicas: one of ${SCALABLE.join(', ')}, and 1 to ${MAX_REPLICAS}, such as orders=2.`,
      )
    }
    replicas[name] = count
  }
  return replicas
}

function readPortBase(value: unknown): number {
  if (value === undefined) return DEFAULT_PORT_BASE
  const base = Number(value)
  if (Number.isInteger(base) && base >= LOWEST_PORT_BASE && base <= HIGHEST_PORT_BASE) return base
  throw new Explained(
    `--port-base wants a number from ${LOWEST_PORT_BASE} to ${HIGHEST_PORT_BASE}, such as 15000.`,
  )
}
