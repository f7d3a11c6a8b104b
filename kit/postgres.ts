/** Owns the way to PostgreSQL: queries, transactions, which failures are tried again and which are told apart. */
import pg from 'pg'
import { toArrayLiteral } from './array-literal.ts'
import { GatheringSocket } from './gathering-socket.ts'
import { listenTo } from './listen.ts'
import type { Log } from './log.ts'
import type { Random } from './random.ts'
import { createSilenceWatch, type SilenceWatch } from './silence.ts'
import { createStatementNames, type StatementNames } from './statement-names.ts'
import type { Timers } from './time.ts'
import { inTransaction, type Connection, type Transaction, type Tx } from './transaction.ts'

export type { Transaction, Tx }

export type Database = Tx & {
  /**
   * Runs `work` in one transaction (read committed). Serialization failures, deadlocks, lock
   * time-outs and plans that a migration made stale run it again from the start, up to 4 times, so
   * it must touch nothing but `tx`. Rolls back when `work` throws, and also, with an error, when
   * `work` swallowed the failure of a statement. Throws ConnectionLost when the connection broke:
   * the outcome is then unknown.
   */
  transaction: <Result>(work: (tx: Transaction) => Promise<Result>) => Promise<Result>
  /** Calls `ring` at each NOTIFY on `channel`, over a connection of its own; see listen.ts. */
  listen: (channel: string, ring: () => void) => () => void
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
/** A server that is there says so much sooner, also where it is slow. */
const WORD_TIMEOUT_MS = 2_000
const STATEMENT_TIMEOUT_MS = 10_000

// A frozen replica must not hold its row locks for longer than this (rule 15).
const LOCK_TIMEOUT_MS = 2_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 2_000

// A number that would silently lose digits fails its statement instead.
function exactNumber(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RangeError('a bigint or numeric of PostgreSQL is past 2^53')
  }
  return value
}

const parsers = new pg.TypeOverrides()
parsers.setTypeParser(pg.types.builtins.INT8, exactNumber)
parsers.setTypeParser(pg.types.builtins.NUMERIC, exactNumber)

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
    // Longer than the server's own limit: only a connection that no longer answers meets it.
    query_timeout: STATEMENT_TIMEOUT_MS + 5_000,
    // A service's statements are few and go by index: planned once, the same for whatever values, and
    // not by how small a table was when its first row came.
    options: '-c enable_seqscan=off -c plan_cache_mode=force_generic_plan',
    pipeline: true,
    stream: () => new GatheringSocket(),
    types: parsers,
  })
  pool.on('error', (error) => options.log.warn({ error }, 'an idle PostgreSQL connection broke'))
  const server: Server = {
    pool,
    names: createStatementNames(),
    watch: createSilenceWatch({
      timers: options.timers,
      speaks: () => speaks(options.url),
      onChange: (isSilent) =>
        options.log.warn(
          {},
          isSilent ? 'PostgreSQL has fallen silent' : 'PostgreSQL answers again',
        ),
    }),
  }
  return {
    query: (text, values) =>
      retrying(options, () => withClient(server, (client) => run(server, client, text, values))),
    transaction: (work) =>
      retrying(options, () =>
        withClient(server, (client) => inTransaction(connectionOf(server, client), work)),
      ),
    listen: (channel, ring) => listenTo(options, channel, ring),
    async close() {
      server.watch.stop()
      await pool.end()
    },
  }
}

type Server = { pool: pg.Pool; names: StatementNames; watch: SilenceWatch }

const connectionOf = (server: Server, client: pg.PoolClient): Connection => ({
  query: (text, values) => run(server, client, text, values),
  control: async (text) => (await ask(server, client, { text })).command,
  isLost: (error) => error instanceof ConnectionLost,
})

/** Whether a server says anything at all to who comes anew, and be it that it does not let him in. */
async function speaks(url: string): Promise<boolean> {
  const limits = { connectionTimeoutMillis: WORD_TIMEOUT_MS, query_timeout: WORD_TIMEOUT_MS }
  const client = new pg.Client({ connectionString: url, ...limits })
  client.on('error', () => {}) // the pending question rejects, which is how we learn of it
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch (error) {
    return !(error instanceof Error && /timeout/i.test(error.message))
  } finally {
    void client.end().catch(() => {})
  }
}

async function withClient<Result>(
  server: Server,
  use: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await connect(server)
  let broken: Error | undefined
  const onError = (error: Error) => (broken = error) // else a dying server takes the process down
  client.on('error', onError)
  try {
    return await use(client)
  } catch (error) {
    if (error instanceof ConnectionLost) broken = error
    throw error
  } finally {
    client.off('error', onError)
    client.release(broken) // a broken connection is destroyed, not handed on
  }
}

async function connect({ pool, watch }: Server): Promise<pg.PoolClient> {
  let connecting: Promise<pg.PoolClient> | undefined
  try {
    return await watch.unlessSilent(() => (connecting = pool.connect()))
  } catch (error) {
    // One that comes after all is for the next.
    connecting?.then(
      (late) => late.release(),
      () => {},
    )
    // 53: the server has no connection left for us, which passes.
    throw isAnswer(error) && !sqlState(error)?.startsWith('53') ? error : new ConnectionLost(error)
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

async function run<Row>(
  server: Server,
  client: pg.PoolClient,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const { names } = server
  const name = names.of(text)
  try {
    const literals = values.map((value) =>
      Array.isArray(value) ? (toArrayLiteral(value) ?? value) : value,
    )
    const query = { text, values: literals, ...(name === undefined ? {} : { name }) }
    return (await ask<Row & pg.QueryResultRow>(server, client, query)).rows
  } catch (error) {
    if (name !== undefined && isStalePlan(error)) names.renew(text, name)
    throw error
  }
}

// The only place that talks to the driver, so that nothing else is mistaken for its losses.
async function ask<Row extends pg.QueryResultRow>(
  { watch }: Server,
  client: pg.PoolClient,
  query: pg.QueryConfig,
): Promise<pg.QueryResult<Row>> {
  try {
    const answer = await watch.unlessSilent(() => client.query<Row>(query))
    watch.heard()
    return answer
  } catch (error) {
    throw isAnswer(error) || !isLoss(error) ? error : new ConnectionLost(error)
  }
}

/** SQLSTATE of an error that PostgreSQL answered, if it is one. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** SQLSTATE classes 22 (data) and 23 (constraint): one item of a batch is bad, not the database. */
export const isDataError = (error: unknown): boolean => /^2[23]/.test(sqlState(error) ?? '')

// A migration that ran meanwhile changed what a prepared statement returns (0A000, "cached plan must
// not change result type"), or the statement is not there any more (26000).
const isStalePlan = (error: unknown): boolean =>
  sqlState(error) === '26000' ||
  (sqlState(error) === '0A000' && /cached plan/.test(error instanceof Error ? error.message : ''))

// 40: serialization failure and deadlock. 55P03: lock_timeout.
const isTransient = (error: unknown): boolean =>
  /^(40|55P03)/.test(sqlState(error) ?? '') || isStalePlan(error)

/**
 * PostgreSQL is there but has no room or no time for this now: conflicts that outlasted every retry
 * (40, 55P03), a statement past its time limit (57014), out of memory, disk or connections (53).
 */
export const isOverload = (error: unknown): boolean =>
  /^(40|53|55P03|57014)/.test(sqlState(error) ?? '')

/** It is not the statement's fault: the same may succeed later, so nothing is concluded from it. */
export const isOutage = (error: unknown): boolean =>
  error instanceof ConnectionLost || isOverload(error) || isTransient(error)

// The server ended this connection: class 08, going away (57P01 to 57P03), past a session's time
// limits (57P05, 25P03, 25P04). Whatever else has an SQLSTATE is its answer to a statement.
function isAnswer(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && !/^(08|57P0|25P0[34])/.test(state)
}

// Called for what is not an answer: the socket's errors, and what `pg` says, without a code, of a
// connection that is no more. What remains are values that cannot be sent.
function isLoss(error: unknown): boolean {
  if (sqlState(error) !== undefined) return true
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return (
    /^(E[A-Z]+$|ERR_SSL|ERR_STREAM)/.test(code) ||
    /terminated|timeout|not queryable|connection error/i.test(error.message)
  )
}
