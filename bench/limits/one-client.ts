/** Owns what one client's checkout waits for at least: its round trips over HTTP, its commits, the provider's disk. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'undici'
import { percentile } from '../percentile.ts'
import type { CommitTimes } from './commits.ts'

/** Each measured alone, in milliseconds. */
export type RoundTrips = {
  /** From the load generator to a service. */
  clientHop: number
  /** From a service to a service, and from payments to the provider. */
  serviceHop: number
  commits: CommitTimes
  /** What the provider appends to its record and waits for. */
  providerSync: number
}

// Orders asks products and payments; payments asks the provider.
export const SERVICE_HOPS = 3

/** All of it, one after another. */
export function sumOf({ clientHop, serviceHop, commits, providerSync }: RoundTrips): number {
  const committing = Object.values(commits).reduce((sum, { ms }) => sum + ms, 0)
  return clientHop + SERVICE_HOPS * serviceHop + committing + providerSync
}

const WARM = 200
const HOPS = 1_000

/** Median of a POST with `body` to a bare server from a Node process that does nothing else. */
export async function measureServiceHop(origin: string, body: string): Promise<number> {
  const client = new Client(origin)
  const headers = { 'content-type': 'application/json' }
  const timesMs: number[] = []
  for (let n = 0; n < WARM + HOPS; n += 1) {
    const startedMs = performance.now()
    const answer = await client.request({ path: '/', method: 'POST', headers, body })
    await answer.body.text()
    if (n >= WARM) timesMs.push(performance.now() - startedMs)
  }
  await client.close()
  return percentile(timesMs, 0.5)
}

const SYNCS = 200
const RECORD_BYTES = 400

/** Median of an append that waits for the disk, in a folder. */
export function measureSync(folder: string): number {
  const path = join(folder, 'bench-sync')
  const file = openSync(path, 'a')
  const line = `${'x'.repeat(RECORD_BYTES)}\n`
  try {
    const timesMs = Array.from({ length: SYNCS }, () => {
      const startedMs = performance.now()
      writeSync(file, line)
      fdatasyncSync(file)
      return performance.now() - startedMs
    })
    return percentile(timesMs, 0.5)
  } finally {
    closeSync(file)
    rmSync(path)
  }
}
