/** Owns a PostgreSQL that a test may kill, freeze and start again: durable, with nobody who keeps it up. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { tmpdir } from 'node:os'
import { freePort } from '../../tools/ports.ts'
import { give, serverAccount } from '../../tools/postgres/account.ts'
import { findBinaries } from '../../tools/postgres/binaries.ts'
import { makeCluster, startCluster, type RunningCluster } from '../../tools/postgres/cluster.ts'
import { connectWhenReady, postgresUrl } from '../../tools/postgres/provision.ts'
import { childrenOf } from '../../tools/processes.ts'
import { randomSecret } from '../../tools/secrets.ts'

export type Postgres = {
  url: string
  /** Starts it, and resolves when it takes connections. */
  start: () => Promise<void>
  /** A signal to it and, but for SIGKILL, to all of its processes. */
  signal: (name: NodeJS.Signals) => Promise<void>
  close: () => Promise<void>
}

function tell(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    // It has ended since it was seen.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

export async function openPostgres(): Promise<Postgres> {
  const account = serverAccount()
  const folder = mkdtempSync(path.join(tmpdir(), 'quartet-outages-'))
  give(folder, account)
  mkdirSync(path.join(folder, 'logs'))
  const cluster = {
    account,
    binaries: findBinaries(account),
    folder: path.join(folder, 'cluster'),
    logFile: path.join(folder, 'logs', 'postgres.log'),
    durable: true,
  }
  const password = randomSecret()
  await makeCluster(cluster, password)
  const port = await freePort()
  const url = postgresUrl('postgres', password, port)
  let running: RunningCluster | undefined

  async function start(): Promise<void> {
    running = startCluster(cluster, port)
    await (await connectWhenReady(url, running.ended)).end()
  }
  await start()
  return {
    url,
    start,
    async signal(name) {
      if (running === undefined) return
      const { pid, ended } = running
      // Its first process before the others: so it starts no more of them.
      process.kill(pid, name)
      if (name === 'SIGKILL') {
        await ended
        running = undefined
      } else for (const child of childrenOf(pid)) tell(child, name)
    },
    async close() {
      await running?.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
