/** Owns the environment that tests read their config from. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createRealCrypto } from '@quartet/kit/crypto'

/** Settings for tests: a fresh service key, neighbours under names that only a test network knows. */
export async function testEnvironment(changes: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv> {
  const folder = mkdtempSync(path.join(tmpdir(), 'orders-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const keyFile = path.join(folder, 'key.json')
  writeFileSync(keyFile, JSON.stringify(await createRealCrypto().newSigningKey()), { mode: 0o600 })
  return {
    DATABASE_URL: 'postgres://unused',
    SERVICE_KEY_FILE: keyFile,
    USERS_URL: 'http://users.test',
    PRODUCTS_URL: 'http://products.test',
    PAYMENTS_URL: 'http://payments.test',
    ...changes,
  }
}
