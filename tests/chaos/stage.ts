/** Owns what a run stands on: a shop of real processes with replicas, a NATS server where there is the binary, accounts, and shelves. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../../tools/start/environment.ts'
import { call, inParallel, openShop, type TestShop } from '../e2e/shop.ts'
import { startServers, whyNoServers, type Servers } from '../nats/servers.ts'
import { register, type Account } from './accounts.ts'
import { createAsker, type Asker } from './asker.ts'
import { openHistory, type History } from './history.ts'
import { shelvesFor, type Shelves } from './intents.ts'
import { createMeters, type Meters } from './meters.ts'
import { openSuperuser, type Superuser } from './superuser.ts'

export type Stage = {
  at: TestShop
  nats: Servers | undefined
  asker: Asker
  superuser: Superuser
  history: History
  meters: Meters
  shelves: Shelves
  accounts: Account[]
  /** Where the history is, and data and logs. */
  folders: string[]
  close: (keep: boolean) => Promise<void>
}

export type StageOptions = {
  orders: number
  customers: number
  signal: AbortSignal
  /** Aborted when customers wait for nothing any more. */
  patience: AbortSignal
}

// Short, so that what a dead or frozen one held is taken over while the run goes on.
const SHORT = {
  users: { ACCESS_TOKEN_TTL_S: '3600', HASH_CONCURRENCY: '2' },
  products: { COMMAND_BUDGET_MS: '1000' },
  orders: {
    LEASE_MS: '1200',
    WAIT_MS: '3000',
    PEER_TIMEOUT_MS: '1500',
    PAYMENT_WINDOW_MS: '10000',
  },
  payments: { LEASE_MS: '1500', PROVIDER_TIMEOUT_MS: '2000', COMMAND_BUDGET_MS: '1000' },
}
/** Each buys several things at a time. */
const ACCOUNTS = 40
const REPLICAS = { users: 2, products: 2, orders: 2, payments: 2, gateway: 2 }

/** Starts all of it; whatever fails, nothing stays behind. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'quartet-chaos-'))
  const closers: ((keep: boolean) => Promise<void>)[] = []
  const close = async (keep: boolean) => {
    for (const each of closers.toReversed()) await each(keep)
  }
  closers.push(async (keep) => {
    if (!keep) rmSync(folder, { recursive: true, force: true })
  })
  try {
    const nats = whyNoServers() === false ? await startServers({ count: 1 }) : undefined
    if (nats !== undefined) {
      closers.push(() => nats.close())
      await nats.ready()
    }
    const at = await openShop({
      replicas: REPLICAS,
      env: withBroker(nats),
      signal: options.signal,
    })
    closers.push((keep) => at.close(keep))
    const superuser = await openSuperuser(at.shop)
    closers.push(() => superuser.close())
    const history = openHistory(join(folder, 'history.ndjson'))
    const meters = createMeters(() => performance.now())
    const asker = createAsker({
      origin: at.shop.urls.gateway,
      connections: 4 * options.customers,
      history,
      meters,
      signal: options.patience,
    })
    closers.push(() => asker.close())
    const shelves = shelvesFor(options.orders)
    await fill(at, shelves)
    const accounts = await inParallel(ACCOUNTS, 4, (n) => register(asker, -1, `buyer-${n}`))
    const folders = [folder, at.shop.dataDir]
    return { at, nats, asker, superuser, history, meters, shelves, accounts, folders, close }
  } catch (error) {
    await close(false)
    throw error
  }
}

function withBroker(nats: Servers | undefined): Record<keyof typeof SHORT, Environment> {
  const shared = { LOG_LEVEL: 'warn', ...(nats === undefined ? {} : { NATS_URL: nats.url }) }
  return {
    users: { ...shared, ...SHORT.users },
    products: { ...shared, ...SHORT.products },
    orders: { ...shared, ...SHORT.orders },
    payments: { ...shared, ...SHORT.payments },
  }
}

async function fill({ shop, admin }: TestShop, { plenty, scarce }: Shelves): Promise<void> {
  await inParallel(plenty.length + scarce.length, 4, async (n) => {
    const shelf = [...plenty, ...scarce][n]
    if (shelf === undefined) return
    const { id, price, stock } = shelf
    const body = {
      id,
      stock,
      name: `Product ${id}`,
      description: '',
      category: 'Chaos',
      price: { amount: price, currency: 'USD' },
    }
    const { status } = await call(`${shop.urls.gateway}/api/products`, { body, token: admin })
    if (status !== 201) throw new Error(`POST /products answered ${status} to ${id}`)
  })
}
