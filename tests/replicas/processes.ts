/** Owns a shop of real processes, two of every service on one database each, behind one port a service; with gateways if asked. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createRealCrypto } from '@quartet/kit/crypto'
import { createTestDatabase, type TestDatabase } from '@quartet/kit/testing'
import { ordersService } from '@quartet/orders/app'
import { paymentsService } from '@quartet/payments/app'
import { productsService } from '@quartet/products/app'
import { usersService } from '@quartet/users/app'
import { COMPILED } from '../../tools/compiled.ts'
import { freePort } from '../../tools/ports.ts'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')
const SERVICES = [usersService, productsService, ordersService, paymentsService] as const
export const NAMES = ['users', 'products', 'orders', 'payments'] as const
export type ServiceName = (typeof NAMES)[number]
export type ReplicaName = ServiceName | 'gateway'

export const API_KEY = 'sk_test_0123456789abcdef'
export const ADMIN = { email: 'admin@example.com', password: 'an-admin-of-tests' }

const scriptOf = (name: ReplicaName) =>
  name === 'gateway' ? 'gateway/src/main.ts' : `services/${name}/src/main.ts`

// Nobody is turned away for coming often.
const LIMITLESS = {
  REQUESTS_PER_MINUTE_BY_ADDRESS: '1000000',
  REQUESTS_PER_MINUTE_BY_ACCOUNT: '1000000',
}
// Short, so that what a dead replica held is taken over within the test.
const SHORT = { LEASE_MS: '2000', WAIT_MS: '3000', PEER_TIMEOUT_MS: '1500', LOG_LEVEL: 'error' }

export type Opened = {
  /** Where the code is from; not this one: services start on empty databases and bring them up to date. */
  checkout?: string
  /** Two gateways, too, on a database of theirs. */
  withGateway?: boolean
}

/** Starts all of it. */
export async function openReplicas({ checkout, withGateway = false }: Opened = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'quartet-replicas-'))
  const databases = new Map<string, TestDatabase>()
  for (const { name, migrations } of SERVICES) {
    const made = checkout === undefined ? { name, migrations } : { name }
    databases.set(name, await createTestDatabase(made))
  }
  if (withGateway) databases.set('gateway', await createTestDatabase({ name: 'gateway' }))
  const doors = new Map<string, Door>()
  for (const name of databases.keys()) doors.set(name, await openDoor())
  const originOf = (name: ReplicaName) => `http://127.0.0.1:${doors.get(name)?.port}`
  const providerPort = await freePort()
  const provider = `http://127.0.0.1:${providerPort}`
  const settings = await settingsOf(folder, { originOf, provider })
  const children = new Map<string, ChildProcess>()

  async function start(name: ReplicaName, replica: number, from = CHECKOUT): Promise<void> {
    const port = await freePort()
    const env = { ...settings, PORT: String(port), DATABASE_URL: databases.get(name)?.url }
    children.set(`${name}${replica}`, await startProcess(path.join(from, scriptOf(name)), env))
    doors.get(name)?.lead(replica, port)
  }

  async function replace(name: ReplicaName, replica: number, from: string): Promise<void> {
    const old = children.get(`${name}${replica}`)
    await start(name, replica, from)
    if (old !== undefined) assert.equal(await end(old, 'SIGTERM'), 0)
  }

  const env = { ...settings, PORT: String(providerPort) }
  children.set('provider', await startProcess(path.join(CHECKOUT, 'tools/provider/main.ts'), env))
  const startBoth = (name: ReplicaName) => [start(name, 0, checkout), start(name, 1, checkout)]
  await Promise.all(NAMES.flatMap(startBoth))
  if (withGateway) await Promise.all(startBoth('gateway'))
  const databaseOf = (name: ServiceName) => {
    const database = databases.get(name)
    if (database === undefined) throw new Error(`no database of ${name}`)
    return database
  }
  return {
    originOf,
    provider,
    dbOf: (name: ServiceName) => databaseOf(name).db,
    urlOf: (name: ServiceName) => databaseOf(name).url,
    /** A signal to one replica: SIGKILL, or SIGSTOP and SIGCONT. */
    signal: (name: ReplicaName, replica: number, signal: NodeJS.Signals) =>
      children.get(`${name}${replica}`)?.kill(signal),
    /** Starts a replica in the place of one that was killed, of the code in another checkout if it is named. */
    start,
    /** Starts a replica of the code in a checkout; then the one whose place it takes is told to stop, and ends well. */
    replace,
    /** Whether the door leads to a replica: a balancer leaves out one that is not ready. */
    leadTo: (name: ServiceName, replica: number, isReady: boolean) =>
      doors.get(name)?.leadTo(replica, isReady),
    async close() {
      await Promise.all([...children.values()].map((child) => end(child, 'SIGKILL')))
      for (const door of doors.values()) door.close()
      for (const { drop } of databases.values()) await drop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export type Places = { originOf: (name: ServiceName) => string; provider: string }

/** What every service and the provider are told. */
export async function settingsOf(folder: string, { originOf, provider }: Places) {
  const file = (name: string, text: string) => {
    const where = path.join(folder, name)
    writeFileSync(where, text, { mode: 0o600 })
    return where
  }
  const apiKeyFile = file('api-key', API_KEY)
  const signingKey = await createRealCrypto().newSigningKey()
  return {
    ...SHORT,
    ...LIMITLESS,
    ...COMPILED,
    PATH: process.env['PATH'],
    USERS_URL: originOf('users'),
    PRODUCTS_URL: originOf('products'),
    ORDERS_URL: originOf('orders'),
    PAYMENTS_URL: originOf('payments'),
    KEY_ENCRYPTION_SECRET_FILE: file('secret', Buffer.alloc(32, 7).toString('base64url')),
    BOOTSTRAP_ADMIN_EMAIL: ADMIN.email,
    BOOTSTRAP_ADMIN_PASSWORD_FILE: file('password', ADMIN.password),
    SERVICE_KEY_FILE: file('key.json', JSON.stringify(signingKey)),
    PROVIDER_URL: provider,
    PROVIDER_API_KEY_FILE: apiKeyFile,
    API_KEY_FILE: apiKeyFile,
    DATA_FILE: path.join(folder, 'record.jsonl'),
    WEBHOOK_URL: `${originOf('payments')}/webhooks/simulated`,
    WEBHOOK_SECRET_FILE: file('webhook-secret', 'whsec_0123456789abcdef'),
  }
}

export type Replicas = Awaited<ReturnType<typeof openReplicas>>

/** Starts a program of a checkout; resolves when it is ready. */
export function startProcess(script: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const child = spawn(process.execPath, [script], {
    env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child))
    child.once('exit', (code, signal) => reject(new Error(`${script}: ${code ?? signal}`)))
  })
}

/** Resolves when it has ended, with its exit code. */
export function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((ended) => {
    child.once('exit', (code) => ended(code))
    child.kill(signal)
  })
}

type Door = {
  port: number
  /** From now on the door leads to this port too, in the place of the replica's earlier one. */
  lead: (replica: number, port: number) => void
  /** Leads past a replica, and ends the connections to it; or leads there again. */
  leadTo: (replica: number, isReady: boolean) => void
  close: () => void
}

/** One port for the replicas of a service: connections go to them in turn, past those that refuse. */
async function openDoor(): Promise<Door> {
  const ports: number[] = []
  const unready = new Set<number>()
  const clients = new Map<Socket, number>()
  let turn = 0
  const lead = (client: Socket, tries: number) => {
    turn += 1
    const next = turn % ports.length
    const port = ports[next]
    if (port === undefined || tries === 0) {
      client.destroy()
      return
    }
    if (unready.has(next)) return lead(client, tries - 1)
    clients.set(client, next)
    let isLed = false
    const replica = connect(port, '127.0.0.1', () => {
      isLed = true
      client.pipe(replica).pipe(client)
      client.once('close', () => replica.destroy())
      replica.once('close', () => client.destroy())
    })
    replica.once('error', () => (isLed ? client.destroy() : lead(client, tries - 1)))
  }
  const server: Server = createServer((client) => {
    client.on('error', () => {}).once('close', () => clients.delete(client))
    lead(client, ports.length)
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    lead: (replica, port) => (ports[replica] = port),
    leadTo(replica, isReady) {
      if (isReady) unready.delete(replica)
      else unready.add(replica)
      for (const [client, led] of clients) if (!isReady && led === replica) client.destroy()
    },
    close() {
      for (const client of clients.keys()) client.destroy()
      server.close()
    },
  }
}
