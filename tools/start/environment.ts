/** Owns what each process is told: its whole environment, and the keys and passwords that it names. */
import { join } from 'node:path'
import { createRealCrypto } from '@quartet/kit/crypto'
import { inData } from '../postgres/data-folder.ts'
import type { JoinedPostgres } from '../postgres/join.ts'
import { randomSecret, readOrMakeSecret } from '../secrets.ts'
import type { Credentials } from './credentials.ts'
import { SERVICES, type Plan, type ProcessName } from './plan.ts'

export type Environment = Record<string, string>

/** A data folder, and whoever knows its databases' URLs. */
export type ServedData = { dataDir: string; postgres: Pick<JoinedPostgres, 'urlOf'> }

/** The variable that hands `--one-process` every service's environment, as JSON by service name. */
export const ENVIRONMENTS = 'QUARTET_ENVIRONMENTS'

// Nothing else of this process's environment reaches a child.
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'NODE_OPTIONS', 'LOG_LEVEL']
// Where there is a broker, the services share it.
const BROKER = ['NATS_URL', 'NATS_CREDENTIALS_FILE', 'NATS_PREFIX', 'NATS_REPLICAS']

/** Builds every process's environment; makes the secrets it names when they are not there yet. */
export async function buildEnvironments(
  plan: Plan,
  { dataDir, postgres }: ServedData,
  credentials: Credentials,
): Promise<Record<ProcessName, Environment>> {
  const own = await ownSettings(plan, dataDir, credentials)
  const environmentOf = async (name: ProcessName): Promise<Environment> => ({
    ...inherited(isService(name) ? [...INHERITED, ...BROKER] : INHERITED),
    HOST: '127.0.0.1',
    PORT: String(plan.ports[name]),
    ...(name === 'provider' ? {} : { DATABASE_URL: await postgres.urlOf(name) }),
    ...(name === 'provider' ? {} : peers(plan)),
    ...own[name],
  })
  const [users, products, orders, payments, provider, gateway] = await Promise.all([
    environmentOf('users'),
    environmentOf('products'),
    environmentOf('orders'),
    environmentOf('payments'),
    environmentOf('provider'),
    environmentOf('gateway'),
  ])
  return { users, products, orders, payments, provider, gateway }
}

const isService = (name: ProcessName) => SERVICES.some((service) => service === name)

function inherited(names: string[]): Environment {
  const known = names.map((name) => [name, process.env[name]] as const)
  return Object.fromEntries(
    known.filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

function peers({ urls }: Plan): Environment {
  return {
    USERS_URL: urls.users,
    PRODUCTS_URL: urls.products,
    ORDERS_URL: urls.orders,
    PAYMENTS_URL: urls.payments,
  }
}

async function ownSettings(
  plan: Plan,
  dataDir: string,
  { admin }: Credentials,
): Promise<Record<ProcessName, Environment>> {
  const file = async (name: string, make: () => string | Promise<string>) => {
    const path = inData.secret(dataDir, name)
    await readOrMakeSecret(path, make)
    return path
  }
  const apiKeyFile = await file('provider-api-key', () => `sk_${randomSecret()}`)
  const webhookSecretFile = await file('webhook-secret', () => `whsec_${randomSecret()}`)
  return {
    users: {
      KEY_ENCRYPTION_SECRET_FILE: await file('users-key-encryption', randomSecret),
      BOOTSTRAP_ADMIN_EMAIL: admin.email,
      BOOTSTRAP_ADMIN_PASSWORD_FILE: await file('bootstrap-admin-password', () => admin.password),
    },
    products: { SERVICE_KEY_FILE: await file('products-service-key.json', makeServiceKey) },
    orders: { SERVICE_KEY_FILE: await file('orders-service-key.json', makeServiceKey) },
    payments: {
      SERVICE_KEY_FILE: await file('payments-service-key.json', makeServiceKey),
      PROVIDER_URL: plan.urls.provider,
      PROVIDER_API_KEY_FILE: apiKeyFile,
      WEBHOOK_SECRET_FILE: webhookSecretFile,
    },
    provider: {
      DATA_FILE: join(dataDir, 'provider', 'record.jsonl'),
      API_KEY_FILE: apiKeyFile,
      WEBHOOK_URL: `${plan.urls.payments}/webhooks/simulated`,
      WEBHOOK_SECRET_FILE: webhookSecretFile,
      // A person may have typed either.
      RETURN_ORIGINS: `${plan.urls.gateway},http://localhost:${plan.ports.gateway}`,
    },
    gateway: { PUBLIC_URL: plan.urls.gateway },
  }
}

const makeServiceKey = async () => JSON.stringify(await createRealCrypto().newSigningKey())
