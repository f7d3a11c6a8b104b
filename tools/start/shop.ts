/** Owns a whole shop: what starts in which order, and stops in which. `npm start` and the end-to-end tests use it. */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Explained } from '../explained.ts'
import { inData } from '../postgres/data-folder.ts'
import type { PostgresEvent } from '../postgres/join.ts'
import { isSeeded, seed } from '../seed/seed.ts'
import { claimData, type ClaimedData } from './claim-data.ts'
import { readOrMakeCredentials, type Credentials } from './credentials.ts'
import { buildEnvironments, ENVIRONMENTS, type Environment } from './environment.ts'
import { waitUntilReady } from './health.ts'
import { keepProcess, type KeptProcess, type ProcessEvent } from './kept-process.ts'
import type { StartOptions } from './options.ts'
import { planShop, PROCESSES, type Plan, type ProcessName } from './plan.ts'
import { removeRunFile, writeRunFile } from './run-file.ts'

export type ShopEvent = { type: 'progress'; text: string } | ProcessEvent | PostgresEvent

export type ShopOptions = StartOptions & {
  onEvent?: (event: ShopEvent) => void
  /** Gives up a start that is under way. */
  signal?: AbortSignal
}

export type Shop = {
  dataDir: string
  urls: Plan['urls']
  ports: Plan['ports']
  credentials: Credentials
  /** By name; a process that died has another pid once it is back. */
  processes: ReadonlyMap<ProcessName, KeptProcess>
  /** Sends a signal to one process, which is started again if it dies. */
  kill: (name: ProcessName, signal: NodeJS.Signals) => void
  /** Stops everything in order, within 5 s. */
  stop: () => Promise<void>
}

/** A shop while it opens: what it has so far. */
type Opening = ClaimedData & {
  options: ShopOptions
  plan: Plan
  credentials: Credentials
  environments: Record<ProcessName, Environment>
  processes: Map<ProcessName, KeptProcess>
}

const CHECKOUT = resolve(import.meta.dirname, '../..')
const ONE_PROCESS = join(import.meta.dirname, 'one-process.ts')
const READY_TIMEOUT_MS = 30_000

// New work is cut off first, then what drives orders, then those it calls on the way.
const STOP_ORDER: ProcessName[][] = [
  ['gateway'],
  ['orders'],
  ['users', 'products', 'payments'],
  ['provider'],
]

// What is under way may end, and all of it within 5 s: an order that is cut off goes on at the next start.
const GRACE_MS = {
  gateway: 1_000,
  orders: 1_500,
  users: 1_000,
  products: 1_000,
  payments: 1_000,
  provider: 500,
  services: 3_500, // --one-process
}

/** Starts a shop and waits until all of it is ready. Whatever fails, nothing stays behind. */
export async function startShop(options: ShopOptions): Promise<Shop> {
  const plan = planShop(options.portBase)
  const onEvent = (event: PostgresEvent) => options.onEvent?.(event)
  const claimed = await claimData({ ...options, ports: plan.ports, onEvent })
  const processes = new Map<ProcessName, KeptProcess>()
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= stopAll(claimed, processes))
  try {
    const credentials = await readOrMakeCredentials(claimed.dataDir, process.env)
    const environments = await buildEnvironments(plan, claimed, credentials)
    const opening = { ...claimed, options, plan, credentials, environments, processes }
    await Promise.race([open(opening), rejectOnAbort(options.signal)])
    return {
      dataDir: claimed.dataDir,
      urls: plan.urls,
      ports: { ...plan.ports, postgres: claimed.postgres.port },
      credentials,
      processes,
      kill: (name, signal) => processes.get(name)?.kill(signal),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function open(shop: Opening): Promise<void> {
  const { processes, plan, credentials, dataDir } = shop
  const first = !isSeeded(dataDir)
  report(shop, { type: 'progress', text: 'Starting the services' })
  // Who verifies tokens asks their issuers for keys, and keeps them: at the first start the
  // issuers come first, or the first order would wait until they are asked again.
  if (first) for (const name of ['users', 'orders'] as const) await start(shop, name).ready
  for (const name of PROCESSES) if (!processes.has(name)) start(shop, name)
  noteDown(shop)
  await Promise.all([...processes.values()].map(({ ready }) => ready))
  await Promise.all(PROCESSES.map((name) => assertReady(name, plan.urls[name], dataDir)))
  if (!first) return
  report(shop, { type: 'progress', text: 'Loading the demo catalog' })
  await seed({ urls: plan.urls, credentials, dataDir })
}

function start(shop: Opening, name: ProcessName): KeptProcess {
  const { processes, environments } = shop
  if (name === 'provider') mkdirSync(join(shop.dataDir, name), { recursive: true, mode: 0o700 })
  const shared = shop.options.oneProcess && name !== 'provider'
  const kept = shared
    ? (processes.get('users') ?? keep(shop, 'services', ONE_PROCESS, allIn(environments)))
    : keep(shop, name, scriptOf(name), environments[name])
  processes.set(name, kept)
  return kept
}

function keep(
  shop: Opening,
  name: keyof typeof GRACE_MS,
  script: string,
  env: Environment,
): KeptProcess {
  const tell = (event: ProcessEvent) => {
    noteDown(shop)
    report(shop, event)
  }
  const logFile = inData.log(shop.dataDir, name)
  return keepProcess({ name, script, env, logFile, graceMs: GRACE_MS[name], tell })
}

// One process has one environment: what differs between the services rides in one variable.
function allIn(environments: Opening['environments']): Environment {
  return { ...environments.users, [ENVIRONMENTS]: JSON.stringify(environments) }
}

function scriptOf(name: ProcessName): string {
  if (name === 'provider') return join(CHECKOUT, 'tools/provider/main.ts')
  if (name === 'gateway') return join(CHECKOUT, 'gateway/src/main.ts')
  return join(CHECKOUT, 'services', name, 'src/main.ts')
}

function report({ options }: Opening, event: ShopEvent): void {
  options.onEvent?.(event)
}

function noteDown({ dataDir, processes, plan, postgres }: Opening): void {
  writeRunFile(dataDir, {
    pid: process.pid,
    startedAtMs: performance.timeOrigin,
    postgresPort: postgres.port,
    processes: [...processes].map(([name, kept]) => ({
      name,
      pid: kept.pid() ?? null,
      url: plan.urls[name],
      startedAtMs: kept.startedAtMs(),
    })),
  })
}

async function assertReady(name: ProcessName, url: string, dataDir: string): Promise<void> {
  const health = await waitUntilReady(url, READY_TIMEOUT_MS)
  if (health === 'ready') return
  const answer = health === 'not ready' ? 'says it is not ready' : 'does not answer'
  throw new Explained(`${name} runs and ${answer}.\nIts log: ${inData.log(dataDir, name)}`)
}

function rejectOnAbort(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new Explained('The start was given up.')))
  })
}

async function stopAll(
  { dataDir, postgres }: ClaimedData,
  processes: ReadonlyMap<ProcessName, KeptProcess>,
): Promise<void> {
  for (const names of STOP_ORDER) {
    await Promise.all(names.map(async (name) => processes.get(name)?.stop()))
  }
  removeRunFile(dataDir)
  await postgres.leave()
}
