/** Owns what tests stand on: a database per file, a world with a clock that only the test moves, tokens. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import {
  ACCESS_TOKEN_AUDIENCE,
  ACCESS_TOKEN_ISSUER,
  ACCESS_TOKEN_TYPE,
  createServiceSigner,
  type Role,
} from './auth.ts'
import type { Broker } from './broker.ts'
import { createRealCrypto, publicHalf, type PrivateJwk } from './crypto.ts'
import { createIds } from './ids.ts'
import { silentLog, type Log } from './log.ts'
import { migrate } from './migrate.ts'
import { connectPostgres, type Database, type Transaction } from './postgres.ts'
import { realRandom } from './random.ts'
import { realTimers, type Clock, type Timers } from './time.ts'
import type { Fetch, World } from './world.ts'

export type TestDatabase = { url: string; db: Database; drop: () => Promise<void> }

/**
 * A new database for one test file, cloned from a template that is migrated once per set of migrations;
 * an empty one without migrations.
 */
export async function createTestDatabase(service: {
  name: string
  migrations?: URL
}): Promise<TestDatabase> {
  const server = process.env['QUARTET_TEST_DATABASE_URL']
  if (server === undefined) throw new Error('Run tests with: npm test -- <path>')
  const name = `test_${service.name}_${Buffer.from(realRandom.bytes(8)).toString('hex')}`
  await withServer(server, async (client) => {
    const { migrations } = service
    const template =
      migrations === undefined
        ? 'template1'
        : await migratedTemplate(client, server, { ...service, migrations })
    await client.query(`create database "${name}" template "${template}"`)
  })
  const url = databaseUrl(server, name)
  const db = connectPostgres({
    url,
    poolSize: 10,
    applicationName: 'test',
    timers: realTimers,
    random: realRandom,
    log: silentLog,
  })
  const drop = async () => {
    await db.close()
    await withServer(server, (client) => client.query(`drop database "${name}" with (force)`))
  }
  return { url, db, drop }
}

async function migratedTemplate(
  client: pg.Client,
  server: string,
  { name, migrations }: { name: string; migrations: URL },
): Promise<string> {
  const template = `template_${name}_${migrationsHash(migrations)}`
  await client.query('select pg_advisory_lock(42)')
  const { rowCount } = await client.query('select from pg_database where datname = $1', [template])
  if (rowCount === 0) {
    await client.query(`drop database if exists "${template}_making"`)
    await client.query(`create database "${template}_making"`)
    await migrate(databaseUrl(server, `${template}_making`), migrations)
    await client.query(`alter database "${template}_making" rename to "${template}"`)
  }
  return template
}

async function withServer(url: string, use: (client: pg.Client) => Promise<unknown>) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await use(client)
  } finally {
    await client.end()
  }
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

function migrationsHash(folder: URL): string {
  const hash = createHash('sha256')
  for (const from of [new URL('./migrations/', import.meta.url), folder]) {
    for (const file of readdirSync(from).sort()) hash.update(readFileSync(new URL(file, from)))
  }
  return hash.digest('hex').slice(0, 12)
}

/**
 * Runs `work` while a transaction keeps the locks that `hold` takes, and `look` as soon as `work`
 * waits for one of them: what it has locked by then shows the order in which it locks.
 */
export async function whileHeld<Result>(
  db: Database,
  hold: (tx: Transaction) => Promise<unknown>,
  { work, look }: { work: () => Promise<Result>; look: () => Promise<unknown> },
): Promise<Result> {
  let working: Promise<Result> | undefined
  let isOver = false
  const mark = () => (isOver = true)
  await db.transaction(async (tx) => {
    await hold(tx)
    await tx.query('select 1') // what was only sent is done by then
    working ??= work()
    working.then(mark, mark)
    // The only sign of a statement that waits for a lock is PostgreSQL's own.
    for (let isBlocked = false; !isBlocked; await realTimers.sleep(5)) {
      if (isOver) throw new Error('the work waited for no lock')
      const blocked = await db.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      )
      isBlocked = blocked.length > 0
    }
    await look()
  })
  return working as Promise<Result>
}

export type TestClock = Clock & {
  timers: Timers
  /** Moves the clock and fires what is due, in order, letting promises settle in between. */
  advance: (ms: number) => Promise<void>
  /** Milliseconds until the next timer is due; undefined when none waits. */
  untilNextMs: () => number | undefined
}

/** A clock that stands still until the test advances it. */
export function createTestClock(startMs = Date.UTC(2030, 0, 1)): TestClock {
  let nowMs = startMs
  let due: { atMs: number; action: () => void }[] = []
  const after: Timers['after'] = (delayMs, action) => {
    const timer = { atMs: nowMs + delayMs, action }
    due.push(timer)
    return () => {
      due = due.filter((other) => other !== timer)
    }
  }
  return {
    now: () => nowMs,
    untilNextMs: () =>
      due.length === 0 ? undefined : Math.min(...due.map(({ atMs }) => atMs)) - nowMs,
    timers: {
      after,
      sleep: (delayMs) => new Promise((resolve) => after(delayMs, () => resolve())),
    },
    async advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        await settled()
        const next = due.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
        if (next === undefined) break
        due = due.filter((other) => other !== next)
        nowMs = Math.max(nowMs, next.atMs)
        next.action()
      }
      nowMs = untilMs
    },
  }
}

/** Moves the clock on, in small steps, until `promise` settles: database and disk take real time. */
export async function whileAdvancing<Result>(
  clock: TestClock,
  promise: Promise<Result>,
): Promise<Result> {
  let isSettled = false
  const settle = promise.finally(() => (isSettled = true))
  settle.catch(() => {})
  while (!isSettled) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    await clock.advance(20)
  }
  return settle
}

// One turn of the event loop: everything that needs no I/O has settled.
const settled = () => new Promise((resolve) => setImmediate(resolve))

/**
 * Moves the clock from timer to timer until `promise` has settled: for what sleeps and does I/O in
 * turns. Each time the I/O gets a few real milliseconds first, so that the clock doesn't run ahead.
 */
export async function advanceUntil<Result>(
  clock: TestClock,
  promise: Promise<Result>,
): Promise<Result> {
  let over = false
  const mark = () => (over = true)
  promise.then(mark, mark)
  while (!over) {
    await realTimers.sleep(5)
    if (!over) await clock.advance(clock.untilNextMs() ?? 0)
  }
  return promise
}

/** Answers requests by origin, such as `http://users.test`; others fail as a refused connection does. */
export function createTestNetwork(
  peers: Record<string, (request: Request) => Promise<Response> | Response>,
): Fetch {
  return async (url, init) => {
    const peer = peers[new URL(url).origin]
    if (peer === undefined) throw new TypeError('fetch failed')
    return peer(new Request(url, init))
  }
}

// Warnings belong to what tests provoke; an error is one that nobody expected.
const testLog: Log = { ...silentLog, error: (fields, message) => console.error(message, fields) }

/** A world for tests: the given config, database and clock; real cryptography; errors are printed. */
export function createTestWorld<Config>(parts: {
  config: Config
  db: Database
  clock?: TestClock
  fetch?: Fetch
  broker?: Broker
}): World<Config> & { clock: TestClock } {
  const clock = parts.clock ?? createTestClock()
  return {
    config: parts.config,
    db: parts.db,
    clock,
    timers: clock.timers,
    random: realRandom,
    ids: createIds(clock, realRandom),
    crypto: createRealCrypto(),
    fetch: parts.fetch ?? createTestNetwork({}),
    broker: parts.broker,
    log: testLog,
  }
}

export type TestIssuer = {
  key: PrivateJwk
  /** Answers `/.well-known/jwks.json`: put it into the test network as the issuer. */
  fetch: (request: Request) => Response
  /** An Authorization header value of a person; `changes` override claims. */
  user: (userId: string, role?: Role, changes?: Record<string, unknown>) => Promise<string>
  /** An Authorization header value of the service `issuer`. */
  service: (issuer: string, audience: string, scope: string) => Promise<string>
}

/** Signs tokens with a key of its own, as the users service or any other service would. */
export async function createTestIssuer(clock: Clock): Promise<TestIssuer> {
  const crypto = createRealCrypto()
  const key = await crypto.newSigningKey()
  return {
    key,
    fetch: () => Response.json({ keys: [publicHalf(key)] }),
    async user(userId, role = 'customer', changes = {}) {
      const iat = Math.floor(clock.now() / 1_000)
      const claims = {
        iss: ACCESS_TOKEN_ISSUER,
        aud: ACCESS_TOKEN_AUDIENCE,
        sub: userId,
        sid: 'ses_test',
        role,
        iat,
        exp: iat + 900,
        ...changes,
      }
      return `Bearer ${await crypto.signJwt(claims, key, ACCESS_TOKEN_TYPE)}`
    },
    async service(issuer, audience, scope) {
      return `Bearer ${await createServiceSigner({ clock, crypto }, issuer, key)(audience, scope)}`
    },
  }
}

/** A file with a service's own key, which goes with the process. */
export async function testServiceKeyFile(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'quartet-key-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'key.json')
  writeFileSync(file, JSON.stringify(await createRealCrypto().newSigningKey()), { mode: 0o600 })
  return file
}
