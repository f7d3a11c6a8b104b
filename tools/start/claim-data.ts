/** Owns taking hold of a data folder for a shop: nobody else's, not in use, emptied where that was asked. */
import { Explained } from '../explained.ts'
import { clearLeftover } from '../postgres/cluster.ts'
import { emptyDataDir, inData, prepareDataDir } from '../postgres/data-folder.ts'
import { guardRuns, joinPostgres, type JoinedPostgres } from '../postgres/join.ts'
import type { PostgresEvent } from '../postgres/join.ts'
import { assertPortsFree, type Plan } from './plan.ts'

export type ClaimOptions = {
  dataDir: string
  fresh: boolean
  ports: Plan['ports']
  onEvent: (event: PostgresEvent) => void
}

export type ClaimedData = { dataDir: string; postgres: JoinedPostgres }

/** Claims the folder for one shop, checks all ports, and starts or joins its PostgreSQL. */
export async function claimData(options: ClaimOptions): Promise<ClaimedData> {
  if (options.fresh) await removeData(options.dataDir)
  const dataDir = prepareDataDir(options.dataDir)
  const { postgres: port, ...httpPorts } = options.ports
  const join = () => joinPostgres({ dataDir, port, exclusive: 'shop', onEvent: options.onEvent })
  if (!(await guardRuns(dataDir))) {
    await assertPortsFree(options.ports)
    return { dataDir, postgres: await join() }
  }
  // "A shop already runs on this data" is a better answer than "its ports are taken".
  const postgres = await join()
  try {
    await assertPortsFree(httpPorts)
    return { dataDir, postgres }
  } catch (error) {
    await postgres.leave()
    throw error
  }
}

async function removeData(dataDir: string): Promise<void> {
  if (await guardRuns(dataDir)) {
    throw new Explained(
      `The shop on ${dataDir} is running. Stop it first, then start with --fresh.`,
    )
  }
  await clearLeftover(inData.cluster(dataDir))
  emptyDataDir(dataDir)
}
