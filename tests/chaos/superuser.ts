/** Owns the harness's own way into PostgreSQL, which comes back when PostgreSQL does. */
import pg from 'pg'
import { passwordOf } from '../../tools/postgres/kept-server.ts'
import { postgresUrl } from '../../tools/postgres/provision.ts'
import type { Shop } from '../../tools/start/shop.ts'

export type Superuser = {
  /** One statement in a service's database; rejects while PostgreSQL is away or frozen. Bigints come as numbers. */
  query: <Row>(database: string, text: string, values?: unknown[]) => Promise<Row[]>
  close: () => Promise<void>
}

export const APPLICATION = 'chaos harness'
const LIMIT_MS = 10_000

export async function openSuperuser({ dataDir, ports }: Shop): Promise<Superuser> {
  const password = await passwordOf(dataDir, 'postgres')
  const types = new pg.TypeOverrides()
  types.setTypeParser(pg.types.builtins.INT8, Number)
  types.setTypeParser(pg.types.builtins.NUMERIC, Number)
  const pools = new Map<string, pg.Pool>()
  const poolOf = (database: string) => {
    const known = pools.get(database)
    if (known !== undefined) return known
    const pool = new pg.Pool({
      connectionString: postgresUrl('postgres', password, ports.postgres, database),
      application_name: APPLICATION,
      max: 2,
      connectionTimeoutMillis: LIMIT_MS,
      query_timeout: LIMIT_MS,
      types,
    })
    pool.on('error', () => {}) // an idle connection broke: the next statement makes another
    pools.set(database, pool)
    return pool
  }
  return {
    async query<Row>(database: string, text: string, values: unknown[] = []): Promise<Row[]> {
      const client = await poolOf(database).connect()
      let broken: Error | undefined
      const onError = (error: Error) => (broken = error)
      client.on('error', onError)
      try {
        return (await client.query<Row & pg.QueryResultRow>(text, values)).rows
      } catch (error) {
        broken = error instanceof Error ? error : new Error(String(error))
        throw error
      } finally {
        client.off('error', onError)
        client.release(broken)
      }
    },
    close: async () => void (await Promise.all([...pools.values()].map((pool) => pool.end()))),
  }
}
