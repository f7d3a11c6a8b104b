/** Owns keeping PostgreSQL up: made and provisioned once, started, and started again when it dies. */
import { join } from 'node:path'
import { Explained } from '../explained.ts'
import { freePort, isFree } from '../ports.ts'
import { randomSecret, readOrMakeSecret } from '../secrets.ts'
import { serverAccount } from './account.ts'
import { findBinaries } from './binaries.ts'
import { clearLeftover, explainFailure, makeCluster, reasonOf, startCluster } from './cluster.ts'
import type { ClusterOptions, RunningCluster } from './cluster.ts'
import { inData } from './data-folder.ts'
import type { GuardMessage, GuardOptions } from './protocol.ts'
import {
  assertDurable,
  connectWhenReady,
  postgresUrl,
  provision,
  ServerEnded,
} from './provision.ts'

export type KeptServer = {
  /** Rejects when the first start fails; else resolves after `stop`. */
  run: () => Promise<void>
  stop: () => Promise<void>
}

const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 5_000
const STEADY_MS = 10_000

/** The server of a data folder; `tell` hears of its progress, deaths and recoveries. */
export function createKeptServer(
  options: GuardOptions,
  tell: (message: GuardMessage) => void,
): KeptServer {
  let running: RunningCluster | undefined
  let stopping = false
  const start = async (cluster: ClusterOptions, port: number) => {
    if (stopping) return
    running = startCluster(cluster, port)
    await bringUp(options, cluster, port, running)
  }
  const keep = async (cluster: ClusterOptions, port: number) => {
    for (let retryMs = FIRST_RETRY_MS; running !== undefined && !stopping;) {
      const startedMs = Date.now()
      const reason = reasonOf(await running.ended)
      if (stopping) return
      if (Date.now() - startedMs > STEADY_MS) retryMs = FIRST_RETRY_MS
      tell({ type: 'died', reason, retryMs })
      await new Promise((resolve) => setTimeout(resolve, retryMs))
      retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)
      await start(cluster, port).then(
        () => tell({ type: 'recovered' }),
        () => running?.stop(), // it ended, and the next round tells why
      )
    }
  }
  return {
    async run() {
      const cluster = await prepare(options, tell)
      const port = options.port === 0 ? await freePort() : options.port
      await assertPortFree(port)
      await start(cluster, port)
      if (!stopping) tell({ type: 'ready', port })
      await keep(cluster, port)
    },
    async stop() {
      stopping = true
      await running?.stop()
    },
  }
}

async function prepare(
  { dataDir, throwAway }: GuardOptions,
  tell: (message: GuardMessage) => void,
): Promise<ClusterOptions> {
  const account = serverAccount()
  const cluster: ClusterOptions = {
    account,
    binaries: findBinaries(account),
    folder: inData.cluster(dataDir),
    logFile: inData.log(dataDir, 'postgres'),
    durable: !throwAway,
  }
  await clearLeftover(cluster.folder)
  tell({ type: 'progress', text: 'Starting PostgreSQL' })
  await makeCluster(cluster, await passwordOf(dataDir, 'postgres'))
  return cluster
}

async function assertPortFree(port: number): Promise<void> {
  if (await isFree(port)) return
  throw new Explained(
    `Port ${port}, which PostgreSQL wants, is taken by another program. Stop that program, or move ` +
      'all ports with --port-base, such as --port-base 15000.',
  )
}

async function bringUp(
  { dataDir, throwAway }: GuardOptions,
  cluster: ClusterOptions,
  port: number,
  running: RunningCluster,
): Promise<void> {
  try {
    const superuser = postgresUrl('postgres', await passwordOf(dataDir, 'postgres'), port)
    const client = await connectWhenReady(superuser, running.ended)
    if (throwAway) return await client.end()
    await assertDurable(client)
    await provision(client, (name) => passwordOf(dataDir, name))
    await client.end()
  } catch (error) {
    const ended = error instanceof ServerEnded
    await running.stop()
    throw ended ? explainFailure(cluster.logFile, await running.ended) : error
  }
}

/** The password of a role, made when there is none. */
export function passwordOf(dataDir: string, role: string): Promise<string> {
  return readOrMakeSecret(inData.secret(dataDir, join('postgres', role)), randomSecret)
}
