/** Owns a shop whose parts stay as a test leaves them: one process each, and nobody who starts them again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ChildProcess } from 'node:child_process'
import { createTestDatabase, type TestDatabase } from '@quartet/kit/testing'
import { ordersService } from '@quartet/orders/app'
import { paymentsService } from '@quartet/payments/app'
import { productsService } from '@quartet/products/app'
import { usersService } from '@quartet/users/app'
import { freePort } from '../../tools/ports.ts'
import { startServers, whyNoServers, type Servers } from '../nats/servers.ts'
import { end, settingsOf, startProcess, type ServiceName } from '../replicas/processes.ts'
import { openPostgres, type Postgres } from './postgres.ts'
import type { Victim, Way } from './rows.ts'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')
const SERVICES = [usersService, productsService, ordersService, paymentsService]
const UNLIMITED = {
  SIGN_INS_PER_MINUTE: '1000000',
  REQUESTS_PER_MINUTE_BY_ADDRESS: '1000000',
  REQUESTS_PER_MINUTE_BY_ACCOUNT: '1000000',
}

export const whyNoNats = whyNoServers()

type Program = ServiceName | 'gateway' | 'provider'
const SCRIPTS: Record<Program, string> = {
  users: 'services/users/src/main.ts',
  products: 'services/products/src/main.ts',
  orders: 'services/orders/src/main.ts',
  payments: 'services/payments/src/main.ts',
  gateway: 'gateway/src/main.ts',
  provider: 'tools/provider/main.ts',
}

export type World = Awaited<ReturnType<typeof openWorld>>

export async function openWorld() {
  const folder = mkdtempSync(path.join(tmpdir(), 'quartet-outages-'))
  const postgres = await openPostgres()
  const nats = whyNoNats === false ? await startServers({ count: 1 }) : undefined
  await nats?.ready()
  const databases = await makeDatabases(postgres)
  const ports = new Map<Program, number>()
  for (const name of Object.keys(SCRIPTS) as Program[]) ports.set(name, await freePort())
  const originOf = (name: Program) => `http://127.0.0.1:${ports.get(name)}`
  const settings = {
    ...(await settingsOf(folder, { originOf, provider: originOf('provider') })),
    ...UNLIMITED,
    ...(nats === undefined ? {} : { NATS_URL: nats.url }),
    PUBLIC_URL: originOf('gateway'),
  }
  const programs = createPrograms((name) => ({
    ...settings,
    PORT: String(ports.get(name)),
    DATABASE_URL: databases.get(name)?.url,
  }))

  // Who verifies tokens asks their issuers for keys when it starts: these come first.
  for (const names of [
    ['provider', 'users', 'orders'],
    ['products', 'payments', 'gateway'],
  ] as const)
    await Promise.all(names.map(programs.start))
  const signal = (victim: Victim, name: NodeJS.Signals) => {
    if (victim === 'postgres') return postgres.signal(name)
    if (victim === 'nats') return nats?.signal(0, name)
    return programs.signal(victim, name)
  }
  letGoWhenBrokenOff(() => {
    void programs.close()
    for (const name of ['SIGCONT', 'SIGKILL'] as const) void signal('postgres', name)
    void signal('nats', 'SIGKILL')
  })
  return {
    originOf,
    urlOf: (name: ServiceName) => databases.get(name)?.url ?? '',
    died: programs.died,
    /** Ends a process and starts it again. */
    async restart(name: Program) {
      await programs.kill(name)
      await programs.start(name)
    },
    /** Strikes a victim; gives what puts it to rights again. */
    strike: (victim: Victim, way: Way) =>
      strike(way, {
        signal: (name) => signal(victim, name),
        kill: () => (isProgram(victim) ? programs.kill(victim) : signal(victim, 'SIGKILL')),
        start: () => startAgain(victim, { start: programs.start, nats, postgres }),
      }),
    async close() {
      await programs.close()
      for (const { drop } of databases.values()) await drop()
      await nats?.close()
      await postgres.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What is frozen does not notice that its test has gone, and PostgreSQL and NATS never do. */
function letGoWhenBrokenOff(letGo: () => void): void {
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      letGo()
      process.exit(1)
    })
  }
}

function createPrograms(settingsOfOne: (name: Program) => NodeJS.ProcessEnv) {
  const children = new Map<Program, ChildProcess>()
  const died: Program[] = []
  async function kill(name: Program): Promise<void> {
    const child = children.get(name)
    children.delete(name)
    if (child !== undefined) await end(child, 'SIGKILL')
  }
  return {
    kill,
    /** Resolves when it is ready. */
    start: async (name: Program): Promise<void> => {
      const script = path.join(CHECKOUT, SCRIPTS[name])
      const child = await startProcess(script, settingsOfOne(name))
      children.set(name, child)
      child.once('exit', () => {
        if (children.get(name) === child) died.push(name)
      })
    },
    signal: (name: Program, signal: NodeJS.Signals) => children.get(name)?.kill(signal),
    /** Who has ended though nobody ended it. */
    died: (): readonly Program[] => died,
    close: () => Promise.all([...children.keys()].map(kill)),
  }
}

const isProgram = (victim: Victim): victim is Program & Victim => Object.hasOwn(SCRIPTS, victim)

async function makeDatabases(postgres: Postgres): Promise<Map<string, TestDatabase>> {
  process.env['QUARTET_TEST_DATABASE_URL'] = postgres.url
  const databases = new Map<string, TestDatabase>()
  for (const service of SERVICES) databases.set(service.name, await createTestDatabase(service))
  return databases
}

type Parts = {
  start: (name: Program) => Promise<void>
  nats: Servers | undefined
  postgres: Postgres
}

async function startAgain(victim: Victim, { start, nats, postgres }: Parts): Promise<void> {
  if (isProgram(victim)) return start(victim)
  if (victim === 'postgres') return postgres.start()
  await nats?.start(0)
}

type Means = {
  signal: (name: NodeJS.Signals) => unknown
  kill: () => unknown
  start: () => Promise<void>
}

const TURN_MS = 100
const RUNS_MS = 10

/** Gives what ends it. */
async function strike(way: Way, { signal, kill, start }: Means): Promise<() => Promise<void>> {
  if (way === 'stopped') {
    await kill()
    return start
  }
  await signal('SIGSTOP')
  if (way === 'frozen') return async () => void (await signal('SIGCONT'))
  let isOver = false
  const turns = async () => {
    while (!isOver) {
      await signal('SIGCONT')
      await pause(RUNS_MS)
      await signal('SIGSTOP')
      await pause(TURN_MS - RUNS_MS)
    }
    await signal('SIGCONT')
  }
  const over = turns()
  return () => {
    isOver = true
    return over
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
