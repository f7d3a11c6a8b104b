/** Owns migrations: plain SQL files, each in a transaction of its own, one process at a time. */
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import Postgrator from 'postgrator'

// Two replicas that start together take turns; the number is only a name for the lock.
const MIGRATION_LOCK = 7_319_004_521

/**
 * Brings a database up to date: first kit's tables (outbox, events, keys, key sets), then the
 * service's own files `NNNN.do.what.sql` in `folder`. Throws when a file that already ran was changed.
 */
export async function migrate(databaseUrl: string, folder: URL): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'migrate' })
  client.on('error', () => {}) // the pending query rejects, which is how we learn of it
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    await run(client, new URL('./migrations/', import.meta.url), 'kit_migrations')
    await run(client, folder, 'migrations')
  } finally {
    await client.end()
  }
}

async function run(client: pg.Client, folder: URL, schemaTable: string): Promise<void> {
  const postgrator = new Postgrator({
    driver: 'pg',
    migrationPattern: `${fileURLToPath(folder)}*.sql`,
    schemaTable,
    execQuery: (query) => client.query<Record<string, unknown>>(query),
    execSqlScript: async (script) => {
      // Several statements of one simple query run in one transaction.
      await client.query(script)
    },
  })
  await postgrator.migrate()
}
