/** Owns a throw-away PostgreSQL for tests: gone with everything in it when its process ends, however it ends. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { joinPostgres } from './join.ts'

export type TestPostgres = {
  /** The superuser's URL, to the database `postgres`. */
  url: string
  stop: () => Promise<void>
}

/** Starts a server of its own in a temporary folder, on a free port; nothing in it waits for the disk. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const dataDir = mkdtempSync(join(tmpdir(), 'quartet-test-'))
  const server = await joinPostgres({ dataDir, port: 0, throwAway: true })
  return { url: await server.urlOf('postgres'), stop: server.leave }
}
