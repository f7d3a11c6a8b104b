/** Owns migrations: plain SQL files, in one transaction with their record, one process at a time. */
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import Postgrator from 'postgrator'

// Two replicas that start together take turns; the number is only a name for the lock.
const MIGRATION_LOCK = 7_319_004_521

// Whoever waits for a whole table holds up all who come after: less long than they wait (LOCK_TIMEOUT_MS
// of postgres.ts). Time-outs are tried again by whoever starts.
const LOCK_TIMEOUT_MS = 1_000
// One that freezes with a table locked gives it back.
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000

/**
 * Brings a database up to date: first kit's tables (outbox, events, keys, key sets), then the
 * service's own files `NNNN.do.what.sql` in `folder`. All that is due happens or nothing does, so a
 * process that dies midway leaves nothing half done. A database that a newer version has migrated
 * stays as it is. Throws when a file that already ran was changed, and PostgreSQL's error where a
 * lock was not to be had in time (55P03) or stood in the way of others who waited (40P01).
 */
export async function migrate(databaseUrl: string, folder: URL): Promise<void> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'migrate',
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  })
  client.on('error', () => {}) // the pending query rejects, which is how we learn of it
  await client.connect()
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`) // not for waiting one's turn
    await run(client, new URL('./migrations/', import.meta.url), 'kit_migrations')
    await run(client, folder, 'migrations')
    await client.query('commit')
  } finally {
    await client.end()
  }
}

async function run(client: pg.Client, folder: URL, schemaTable: string): Promise<void> {
  const postgrator = new Postgrator({
    driver: 'pg',
    // A pattern in which the folder's own name must not act as one.
    migrationPattern: `${fileURLToPath(folder).replace(/[\\?*()[\]{}!+@]/g, '\\$&')}*.sql`,
    schemaTable,
    execQuery: (query) => client.query<Record<string, unknown>>(query),
    execSqlScript: async (script) => {
      await client.query(script)
    },
  })
  const files = await postgrator.getMigrations()
  if (files.length === 0) throw new Error(`No migration (NNNN.do.what.sql) is in ${folder.href}.`)
  await postgrator.migrate()
}
