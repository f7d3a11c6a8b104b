/** Owns a whole shop: what starts in which order, and stops in which. `npm start` and the end-to-end tests use it. */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { COMPILED } from '../compiled.ts'
import { Explained } from '../explained.ts'
import { inData } from '../postgres/data-folder.ts'
import type { PostgresEvent } from '../postgres/join.ts'
import { isSeeded, seed } from '../seed/seed.ts'
import { claimData, type ClaimedData } from './claim-data.ts'
import { readOrMakeCredentials, type Credentials } from './credentials.ts'
import { openControl, type Command } from './control.ts'
import { buildEnvironments, ENVIRONMENTS, type Environment } from './environment.ts'
import { waitUntilReady } from './health.ts'
import { openFrontDoor } from './front-door.ts'
import { keepProcess, type KeptProcess, type ProcessEvent } from './kept-process.ts'
import type { Replicas, StartOptions } from './options.ts'
import type { Pages } from './pages.ts'
import { isScalable, planShop, PROCESSES, SERVICES, type Plan, type ProcessName } from './plan.ts'
import { createReplicaSet, type ReplicaSet, type Report } from './replica-set.ts'
import { removeRunFile, writeRunFile } from './run-file.ts'
import { change, createRunning, processesOf, type Running } from './running.ts'

export type ShopEvent =
  | { type: 'progress'; text: string }
  | { type: 'no-pages'; reason: string; logFile?: string }
  | ProcessEvent
  | PostgresEvent

export type ShopOptions = Omit<StartOptions, 'replicas' | 'pages'> & {
  replicas?: Replicas
  /** Settings of processes, beside those that they get anyway. */
  env?: Partial<Record<ProcessName, Environment>>
  /** Gives the web pages that the gateway serves; without it, or without a folder, it serves none. */
  pages?: (signal: AbortSignal | undefined) => Promise<Pages>
  onEvent?: (event: ShopEvent) => void
  /** Gives up a start that is under way. */
  signal?: AbortSignal
}

export type Shop = {
  dataDir: string
  urls: Plan['urls']
  ports: Plan['ports']
  credentials: Credentials
  /** Whether the gateway serves web pages. */
  hasPages: boolean
  /** As they are now, by name: `orders` is one replica of orders, `orders-2` another. */
  readonly processes: ReadonlyMap<string, KeptProcess>
  /** Sends a signal to the first replica of a service, which is started again if it dies. */
  kill: (name: ProcessName, signal: NodeJS.Signals) => void
  /** Replaces or adds replicas while running; see replica-set.ts. */
  change: (command: Command, report?: Report) => Promise<void>
  /** Stops everything in order, within 5 s. */
  stop: () => Promise<void>
}

/** A shop while it opens: what it has so far. */
type Opening = ClaimedData & {
  options: ShopOptions
  plan: Plan
  credentials: Credentials
  environments: Record<ProcessName, Environment>
  running: Running
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
  const running = createRunning()
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= stopAll(claimed, running))
  try {
    const credentials = await readOrMakeCredentials(claimed.dataDir, process.env)
    const built = await buildEnvironments(plan, claimed, credentials)
    const environments = withSettings(built, options.env ?? {}, await webRoot(options))
    const opening = { ...claimed, options, plan, credentials, environments, running }
    running.control = await openControl((command, say) => change(running, command, say))
    await Promise.race([open(opening), rejectOnAbort(options.signal)])
    return {
      dataDir: claimed.dataDir,
      urls: plan.urls,
      ports: { ...plan.ports, postgres: claimed.postgres.port },
      credentials,
      hasPages: environments.gateway['WEB_ROOT'] !== undefined,
      get processes() {
        return processesOf(running)
      },
      kill: (name, signal) => running.sets.get(name)?.all()[0]?.kill(signal),
      change: (command, say = () => {}) => change(running, command, say),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function withSettings(
  built: Record<ProcessName, Environment>,
  extra: Partial<Record<ProcessName, Environment>>,
  web: Environment,
): Record<ProcessName, Environment> {
  const merged = { ...built, gateway: { ...built.gateway, ...web } }
  for (const name of PROCESSES) merged[name] = { ...merged[name], ...extra[name] }
  return merged
}

/** What tells the gateway where its pages are; whatever keeps them from being built, the rest starts. */
async function webRoot({ pages, signal, onEvent }: ShopOptions): Promise<Environment> {
  const built = await pages?.(signal)
  if (built === undefined) return {}
  if (built.folder !== undefined) return { WEB_ROOT: built.folder }
  onEvent?.({ type: 'no-pages', ...built })
  return {}
}

async function open(shop: Opening): Promise<void> {
  const { running, plan, credentials, dataDir } = shop
  const first = !isSeeded(dataDir)
  report(shop, { type: 'progress', text: 'Starting the services' })
  // Who verifies tokens asks their issuers for keys, and keeps them: at the first start the
  // issuers come first, or the first order would wait until they are asked again.
  if (first) for (const name of ['users', 'orders'] as const) await (await start(shop, name)).ready
  for (const name of PROCESSES) if (!running.sets.has(name)) await start(shop, name)
  changed(shop)
  await Promise.all([...running.sets.values()].map(({ ready }) => ready))
  await Promise.all(PROCESSES.map((name) => assertReady(name, plan.urls[name], dataDir)))
  if (!first) return
  report(shop, { type: 'progress', text: 'Loading the demo catalog' })
  await seed({ urls: plan.urls, credentials, dataDir })
}

async function start(shop: Opening, name: ProcessName): Promise<ReplicaSet> {
  const { running, plan, options } = shop
  if (name === 'provider') mkdirSync(join(shop.dataDir, name), { recursive: true, mode: 0o700 })
  const set =
    options.oneProcess && name !== 'provider'
      ? (running.sets.get('users') ?? startOneProcess(shop))
      : startReplicas(shop, name)
  running.sets.set(name, set)
  if (isScalable(name) && !options.oneProcess) {
    const door = { host: '127.0.0.1', port: plan.ports[name], serving: set.serving }
    running.doors.set(name, await openFrontDoor(door))
  }
  return set
}

// A replica listens where the system lets it: the well-known port belongs to the front door.
function startReplicas(shop: Opening, name: ProcessName): ReplicaSet {
  const env = { ...shop.environments[name], ...(isScalable(name) ? { PORT: '0' } : {}) }
  const script = scriptOf(name)
  return createReplicaSet({
    name,
    count: (isScalable(name) ? shop.options.replicas?.[name] : undefined) ?? 1,
    start: (replica) => keep(shop, { name: replica, script, env, graceMs: GRACE_MS[name] }),
    isHealthy: async (replica) =>
      (await waitUntilReady(`http://127.0.0.1:${replica.port()}`, READY_TIMEOUT_MS)) === 'ready',
    onChange: () => changed(shop),
  })
}

function startOneProcess(shop: Opening): ReplicaSet {
  const env = allIn(shop.environments)
  const kept = { name: 'services', script: ONE_PROCESS, env, graceMs: GRACE_MS.services }
  return createReplicaSet({
    name: 'services',
    count: 1,
    start: () => keep(shop, kept),
    isHealthy: () => Promise.resolve(true),
    onChange: () => changed(shop),
  })
}

type Kept = { name: string; script: string; env: Environment; graceMs: number }

function keep(shop: Opening, kept: Kept): KeptProcess {
  return keepProcess({
    ...kept,
    env: { ...kept.env, ...COMPILED },
    logFile: inData.log(shop.dataDir, kept.name),
    onChange: () => changed(shop),
    tell(event) {
      noteDown(shop)
      report(shop, event)
    },
  })
}

/** Everybody learns which replicas serve: the processes, the front doors, and `npm run status`. */
function changed(shop: Opening): void {
  const { running, plan } = shop
  noteDown(shop)
  for (const door of running.doors.values()) door.changed()
  if (shop.options.oneProcess) return
  const replicas = Object.fromEntries(
    SERVICES.map((name) => [plan.urls[name], (running.sets.get(name)?.serving() ?? []).map(urlOf)]),
  )
  for (const kept of processesOf(running).values()) void kept.say({ type: 'replicas', replicas })
}

const urlOf = (replica: KeptProcess) => `http://127.0.0.1:${replica.port()}`

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

function noteDown({ dataDir, running, plan, postgres }: Opening): void {
  if (running.control === undefined) return
  const { url, token } = running.control
  writeRunFile(dataDir, {
    pid: process.pid,
    startedAtMs: performance.timeOrigin,
    postgresPort: postgres.port,
    control: { url, token },
    processes: [...running.sets].flatMap(([name, set]) =>
      set.all().map((kept) => ({
        name: kept.name === 'services' ? name : kept.name,
        pid: kept.pid() ?? null,
        url: plan.urls[name],
        ownUrl: running.doors.has(name) ? urlOf(kept) : plan.urls[name],
        startedAtMs: kept.startedAtMs(),
      })),
    ),
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

async function stopAll({ dataDir, postgres }: ClaimedData, running: Running): Promise<void> {
  running.control?.close()
  for (const names of STOP_ORDER) {
    for (const name of names) running.doors.get(name)?.close()
    await Promise.all(names.map(async (name) => running.sets.get(name)?.stop()))
  }
  removeRunFile(dataDir)
  await postgres.leave()
}
