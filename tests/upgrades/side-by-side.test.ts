/** Proves on real processes that two versions serve side by side while replicas are replaced: no order is lost, no request refused. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { Explained } from '../../tools/explained.ts'
import { copyCheckout, type CheckoutCopy } from '../checkout-copy.ts'
import { until } from '../e2e/shop.ts'
import { reconcileTarget } from '../e2e/reconcile.ts'
import { stockShelf } from '../replicas/client.ts'
import {
  API_KEY,
  NAMES,
  openReplicas,
  type ReplicaName,
  type Replicas,
  type ServiceName,
} from '../replicas/processes.ts'
import { openCustomers, openFollowers, type Customers, type Told } from './customers.ts'
import {
  commitBeforeNewestMigration,
  copyOfNextVersion,
  newestMigrations,
  previousCommit,
} from './versions.ts'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')
/** Orders that end in each mixture of versions before the next replica is replaced. */
const SERVED = 40
// Those who are called first, and those who call; each meets both versions of all others.
const ORDER: ReplicaName[] = ['products', 'payments', 'orders', 'users', 'gateway']

type Upgrade = {
  from: string
  to: string
  /** What goes on, if anything, while the first new replica of a service starts. */
  during?: (
    at: Replicas,
    name: ReplicaName,
    customers: Customers,
  ) => Promise<(() => Promise<void>) | undefined>
}

async function upgradeUnderLoad({ from, to, during }: Upgrade): Promise<void> {
  const at = await openReplicas({ checkout: from, withGateway: true })
  try {
    assert.deepEqual(await migrationsRun(at), newestMigrations(from))
    const token = await stockShelf(at, 'prd_1', 1_000_000)
    const customers = openCustomers(at, token, 'prd_1')
    const followers = openFollowers(at, token)
    await customers.serve(SERVED)
    for (const name of ORDER) {
      const over = await during?.(at, name, customers)
      await Promise.all([at.replace(name, 0, to), over?.()])
      await customers.serve(SERVED)
    }
    assert.deepEqual(await migrationsRun(at), newestMigrations(to))
    for (const name of ORDER) at.signal(name, 1, 'SIGKILL')
    // The old ones that died start again, on what is new.
    await Promise.all(ORDER.map((name) => at.start(name, 1, from)))
    await customers.serve(SERVED)
    await Promise.all(ORDER.map((name) => at.replace(name, 1, to)))
    await customers.serve(SERVED)
    const told = await customers.stop()
    await checkOrders(at, told)
    await reconcileTarget(targetOf(at))
    await followers.readToTheEnd()
    assert.deepEqual(await migrationsRun(at), newestMigrations(to))
    console.log(`${told.length} orders ended as they were told`)
  } finally {
    await at.close()
  }
}

const targetOf = (at: Replicas) => ({
  databaseUrls: {
    users: at.urlOf('users'),
    products: at.urlOf('products'),
    orders: at.urlOf('orders'),
    payments: at.urlOf('payments'),
  },
  provider: { url: at.provider, apiKey: API_KEY },
})

async function migrationsRun(at: Replicas): Promise<Record<string, number>> {
  const newest = async (name: ServiceName, table: string) => {
    const [row] = await at
      .dbOf(name)
      .query<{ newest: number }>(`select max(version) as newest from ${table}`)
    return row?.newest ?? 0
  }
  const kit = await Promise.all(NAMES.map((name) => newest(name, 'kit_migrations')))
  const services = await Promise.all(
    NAMES.map(async (name) => [name, await newest(name, 'migrations')] as const),
  )
  return { kit: Math.min(...kit), ...Object.fromEntries(services) }
}

async function checkOrders(at: Replicas, told: Told[]): Promise<void> {
  const kept = await at.dbOf('orders').query<Told>('select id, status from orders')
  const byId = (orders: Told[]) => orders.map(({ id, status }) => `${id} ${status}`).toSorted()
  assert.deepEqual(byId(kept), byId(told))
}

/** Upgrades from a commit to the working tree; skips where the commit cannot be had. */
async function upgradeFrom(commit: string | undefined, t: TestContext): Promise<void> {
  if (commit === undefined) return t.skip('this clone has no such commit')
  let old: CheckoutCopy
  try {
    old = copyCheckout({ commit })
  } catch (error) {
    if (!(error instanceof Explained)) throw error
    return t.skip(error.message)
  }
  try {
    t.diagnostic(`from ${commit}`)
    await upgradeUnderLoad({ from: old.folder, to: CHECKOUT })
  } finally {
    old.close()
  }
}

test('beside an older version: the commit before this one', (t) => upgradeFrom(previousCommit(), t))

const beforeMigration = commitBeforeNewestMigration()
if (beforeMigration !== previousCommit()) {
  test('beside an older version: the commit before the newest migration', (t) =>
    upgradeFrom(beforeMigration, t))
}

test('a version with a migration of every service comes in beside this one, also while a long reader holds the tables', async () => {
  const next = copyOfNextVersion()
  try {
    await upgradeUnderLoad({ from: CHECKOUT, to: next.folder, during: readAtLength })
  } finally {
    next.close()
  }
})

/** Reads as a backup does, in one transaction; lets go when a migration has met it and orders went on nevertheless. */
async function readAtLength(at: Replicas, name: ReplicaName, customers: Customers) {
  if (name === 'gateway') return undefined // its tables hold counts, which nobody backs up
  const client = new pg.Client({ connectionString: at.urlOf(name) })
  client.on('error', () => {}) // where all else failed, its database is dropped
  await client.connect()
  await client.query('begin')
  await client.query(`select from ${name} limit 1`)
  return async () => {
    try {
      await until(async () => (await waiting(at, name)) > 0, 20_000)
      await customers.serve(SERVED)
      const before = await migrationsRun(at)
      assert.equal(before[name], newestMigrations(CHECKOUT)[name], 'nothing has changed yet')
    } finally {
      await client.end()
    }
  }
}

async function waiting(at: Replicas, name: ServiceName): Promise<number> {
  const rows = await at.dbOf(name).query(
    `select from pg_stat_activity where datname = current_database()
     and application_name = 'migrate' and wait_event_type = 'Lock'`,
  )
  return rows.length
}
