/** Owns the way to PostgreSQL: queries, transactions, which failures are tried again and which are told apart. */
import { createHash } from 'node:crypto'
import pg from 'pg'
import type { Log } from './log.ts'
import type { Random, Timers } from './world.ts'

/** What a store function is given first: statements of one transaction, in the order they are awaited. */
export type Tx = {
  /** Rows of one statement; `Row` is what the SQL says, unchecked. bigint arrives as number. */
  query: <Row = Record<string, unknown>>(text: string, values?: unknown[]) => Promise<Row[]>
}

export type Database = Tx & {
  /**
   * Runs `work` in one transaction (read committed). Serialization failures, deadlocks and lock
   * time-outs run it again from the start, up to 4 times, so it must touch nothing but `tx`.
   * Throws ConnectionLost when the connection broke: the outcome is then unknown.
   */
  transaction: <Result>(work: (tx: Tx) => Promise<Result>) => Promise<Result>
  close: () => Promise<void>
}

/** The connection failed: a transaction that was committing may or may not have happened. */
export class ConnectionLost extends Error {
  constructor(cause: unknown) {
    super('the connection to PostgreSQL was lost', { cause })
    this.name = 'ConnectionLost'
  }
}

export type PostgresOptions = {
  url: string
  poolSize: number
  applicationName: string
  timers: Timers
  random: Random
  log: Log
}

const MAX_ATTEMPTS = 5
const CONNECT_TIMEOUT_MS = 5_000
const STATEMENT_TIMEOUT_MS = 10_000

// A frozen replica must not hold its row locks for longer than this (RULES: batches).
const LOCK_TIMEOUT_MS = 2_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 2_000

// Every number that the contracts admit is below 2^53, so bigint and numeric sums are safe as numbers.
const parsers = new pg.TypeOverrides()
parsers.setTypeParser(pg.types.builtins.INT8, Number)
parsers.setTypeParser(pg.types.builtins.NUMERIC, Number)

/** A pool of connections. Nothing is connected before the first query. */
export function connectPostgres(options: PostgresOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    // Longer than the server's own limit: only a server that no longer answers meets it.
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    types: parsers,
  })
  pool.on('error', (error) => options.log.warn({ error }, 'an idle PostgreSQL connection broke'))
  return {
    query: (text, values) => withClient(pool, (client) => run(client, text, values)),
    transaction: (work) => retrying(options, () => withClient(pool, (c) => inTransaction(c, work))),
    close: () => pool.end(),
  }
}

async function withClient<Result>(
  pool: pg.Pool,
  use: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect().catch((error: unknown) => {
    throw isAnswer(error) ? error : new ConnectionLost(error)
  })
  let broken: Error | undefined
  const onError = (error: Error) => (broken = error) // else a dying server takes the process down
  client.on('error', onError)
  try {
    return await use(client)
  } catch (error) {
    if (isAnswer(error)) throw error
    if (!isConnectionError(error)) throw error
    broken = new ConnectionLost(error)
    throw broken
  } finally {
    client.off('error', onError)
    client.release(broken) // a broken connection is destroyed, not handed on
  }
}

async function inTransaction<Result>(
  client: pg.PoolClient,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  await client.query('begin')
  try {
    const result = await work({ query: (text, values) => run(client, text, values) })
    await client.query('commit')
    return result
  } catch (error) {
    // When even the rollback fails the connection is gone, and with it the transaction.
    if (!isConnectionError(error)) await client.query('rollback')
    throw error
  }
}

async function retrying<Result>(
  { timers, random }: PostgresOptions,
  attempt: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (tries >= MAX_ATTEMPTS || !isTransient(error)) throw error
      await timers.sleep(random.fraction() * 10 * 2 ** tries) // full jitter
    }
  }
}

// Named statements are parsed and planned once per connection.
const statementNames = new Map<string, string>()

function statementName(text: string): string {
  let name = statementNames.get(text)
  if (name === undefined) {
    name = createHash('sha256').update(text).digest('base64url').slice(0, 22)
    statementNames.set(text, name)
  }
  return name
}

async function run<Row>(
  client: pg.PoolClient,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const query = { name: statementName(text), text, values }
  const result = await client.query<Row & pg.QueryResultRow>(query)
  return result.rows
}

/** SQLSTATE of an error that PostgreSQL answered, if it is one. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** SQLSTATE classes 22 (data) and 23 (constraint): one item of a batch is bad, not the database. */
export const isDataError = (error: unknown): boolean => /^2[23]/.test(sqlState(error) ?? '')

// 40: serialization failure and deadlock. 55P03: lock_timeout.
const isTransient = (error: unknown): boolean => /^(40|55P03)/.test(sqlState(error) ?? '')

// An answer of the server, other than that it is going away (57P01 to 57P03, class 08).
function isAnswer(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && !/^(08|57P0)/.test(state)
}

function isConnectionError(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true
  const state = sqlState(error)
  if (state !== undefined) return !isAnswer(error) || state === '25P03' // idle in transaction: ended
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENETUNREACH)/.test(code) || isDriverLoss(error)
}

// What `pg` says, without a code, of a connection that is no more.
const isDriverLoss = (error: Error): boolean =>
  /terminated|timeout|not queryable|Connection ended|has encountered a connection error/i.test(
    error.message,
  )
