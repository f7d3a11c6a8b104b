/** Owns the measurement of bare SQL: databases of its own on a shop's PostgreSQL, and the process that fills them. */
import { join } from 'node:path'
import { connectPostgres } from '../../kit/postgres.ts'
import { createLog } from '../../kit/log.ts'
import { realRandom } from '../../kit/random.ts'
import { realTimers } from '../../kit/time.ts'
import { inData } from '../../tools/postgres/data-folder.ts'
import { joinPostgres } from '../../tools/postgres/join.ts'
import type { Shop } from '../../tools/start/shop.ts'
import type { Amount, Target } from '../measure.ts'
import { startChild } from './child.ts'
import { meanOf, type CommitTimes } from './commits.ts'
import type { SqlAsk, SqlResult } from './sql.ts'

export type SqlLimit = {
  target: Target
  /** The commits of one client's checkout, in the measurements so far: beside those of the shop. */
  commitsOfOne: () => CommitTimes
  close: () => Promise<void>
}

const OWNER = 'postgres'

/** Opens it beside a shop that runs. */
export async function openSqlLimit(name: string, shop: Shop): Promise<SqlLimit> {
  const { dataDir, ports } = shop
  const server = await joinPostgres({ dataDir, port: ports.postgres })
  const child = startChild(join(import.meta.dirname, 'sql.ts'))
  const ask = <Answer>(message: SqlAsk) => child.ask<Answer>(message)
  const close = async () => {
    await child.close()
    await server.leave()
  }
  try {
    const urls = await createDatabases(await server.urlOf(OWNER), (database) =>
      server.urlOf(OWNER, database),
    )
    const env = (url: string) => ({ DATABASE_URL: url, LOG_LEVEL: 'warn' })
    const keyOf = (service: string) => ({
      SERVICE_KEY_FILE: inData.secret(dataDir, `${service}-service-key.json`),
    })
    const apiKey = { PROVIDER_API_KEY_FILE: inData.secret(dataDir, 'provider-api-key') }
    await ask({
      open: {
        orders: { ...env(urls.orders), ...keyOf('orders') },
        products: { ...env(urls.products), ...keyOf('products') },
        payments: { ...env(urls.payments), ...keyOf('payments'), ...apiKey },
      },
    })
  } catch (error) {
    await close()
    throw error
  }
  const readings: CommitTimes[] = []
  const run = async (amount: Amount) => {
    const result = await ask<SqlResult>({ run: amount })
    if (amount.connections === 1) readings.push(result.commits)
    return result
  }
  return {
    target: {
      name,
      send: run,
      watched: { postgresOf: dataDir, pids: { limit: child.pid } },
      share: 0.6,
    },
    commitsOfOne: () => meanOf(readings),
    close,
  }
}

async function createDatabases(url: string, urlOf: (database: string) => Promise<string>) {
  const log = createLog('bench', 'silent')
  const access = { applicationName: 'bench', timers: realTimers, random: realRandom, log }
  const db = connectPostgres({ url, poolSize: 1, ...access })
  try {
    const create = async (service: string) => {
      await db.query(`create database limit_${service}`)
      return urlOf(`limit_${service}`)
    }
    return {
      orders: await create('orders'),
      products: await create('products'),
      payments: await create('payments'),
    }
  } finally {
    await db.close()
  }
}
