/** Owns finding the books of a shop that runs on a data folder. */
import { readFileSync } from 'node:fs'
import { Explained } from '../explained.ts'
import { inData } from '../postgres/data-folder.ts'
import { joinPostgres } from '../postgres/join.ts'
import { readRunFile } from '../start/run-file.ts'
import type { Target } from './books.ts'
import { reconcile, type Report } from './reconcile.ts'

/** Uses the books of the shop that runs on `dataDir`, and keeps its PostgreSQL up meanwhile. */
export async function withRunningShop<Result>(
  dataDir: string,
  use: (target: Target) => Promise<Result>,
): Promise<Result> {
  const shop = readRunFile(dataDir)
  const provider = shop?.processes.find(({ name }) => name === 'provider')
  if (shop === undefined || provider === undefined) {
    throw new Explained(`Quartet is not running on ${dataDir}. "npm start" starts it.`)
  }
  const postgres = await joinPostgres({ dataDir, port: shop.postgresPort })
  try {
    const { urlOf } = postgres
    return await use({
      databaseUrls: {
        users: await urlOf('users'),
        products: await urlOf('products'),
        orders: await urlOf('orders'),
        payments: await urlOf('payments'),
      },
      provider: {
        url: provider.url,
        apiKey: readFileSync(inData.secret(dataDir, 'provider-api-key'), 'utf8').trim(),
      },
    })
  } finally {
    await postgres.leave()
  }
}

/** Reconciles in real time. */
export const reconcileNow = (target: Target, graceMs: number): Promise<Report> =>
  reconcile(target, {
    graceMs,
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    fetch,
  })
