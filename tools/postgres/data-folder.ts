/** Owns the data folder: where it is, that it is ours, and the names of what lies in it. */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Explained, explainFileError } from '../explained.ts'
import { assertReachable, serverAccount } from './account.ts'
import { openRootHome, POSTGRES_MAJOR, ROOT_HOME } from './binaries.ts'

const CHECKOUT = realpathSync(resolve(import.meta.dirname, '../..'))
const MARKER = 'quartet.json'

/** Where everything of one shop is kept. */
export const inData = {
  cluster: (dataDir: string): string => join(dataDir, 'postgres'),
  lock: (dataDir: string): string => join(dataDir, 'guard.lock'),
  log: (dataDir: string, name: string): string => join(dataDir, 'logs', `${name}.log`),
  secret: (dataDir: string, name: string): string => join(dataDir, 'secrets', name),
}

/** The data folder when nobody names one: in the checkout, or where PostgreSQL's account can reach it. */
export function defaultDataDir(): string {
  if (serverAccount() === undefined) return join(CHECKOUT, '.quartet')
  return join(ROOT_HOME, `${basename(CHECKOUT)}-${shortHash(CHECKOUT)}`)
}

/** Twelve characters that stand for a path. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/** Makes the folder, or checks that an existing one is ours and fits; returns its real path. */
export function prepareDataDir(path: string): string {
  try {
    if (dirname(path) === ROOT_HOME) openRootHome()
    mkdirSync(path, { recursive: true, mode: 0o755 })
    const dataDir = realpathSync(path)
    claim(dataDir)
    mkdirSync(join(dataDir, 'logs'), { recursive: true, mode: 0o700 })
    mkdirSync(join(dataDir, 'secrets'), { recursive: true, mode: 0o700 })
    assertVersion(dataDir)
    return dataDir
  } catch (error) {
    throw explainFileError(error, path)
  }
}

/** True when a folder carries our marker. */
export function isOurs(dataDir: string): boolean {
  return existsSync(join(dataDir, MARKER))
}

/** Removes all data of a folder that is ours; the folder itself stays, and so does its lock. */
export function emptyDataDir(dataDir: string): void {
  if (!existsSync(dataDir) || readdirSync(dataDir).length === 0) return
  if (!isOurs(dataDir)) throw foreign(dataDir)
  const kept = new Set([MARKER, basename(inData.lock(dataDir))])
  for (const name of readdirSync(dataDir)) {
    if (!kept.has(name)) rmSync(join(dataDir, name), { recursive: true, force: true })
  }
}

function claim(dataDir: string): void {
  const account = serverAccount()
  assertReachable(dirname(dataDir), account)
  if (!isOurs(dataDir)) {
    // Asked twice: another start may be claiming the same folder just now.
    if (readdirSync(dataDir).length > 0 && !isOurs(dataDir)) throw foreign(dataDir)
    writeFileSync(join(dataDir, MARKER), '{ "quartet": 1 }\n', { flush: true })
  }
  if (account === undefined) return
  chmodSync(dataDir, 0o711) // PostgreSQL's account passes through, and lists nothing
}

function foreign(dataDir: string): Explained {
  return new Explained(
    `${dataDir} is not empty and was not made by Quartet, so it is left alone. ` +
      'Choose an empty or a new folder with --data DIR.',
  )
}

function assertVersion(dataDir: string): void {
  const file = join(inData.cluster(dataDir), 'PG_VERSION')
  const version = existsSync(file) ? readFileSync(file, 'utf8').trim() : POSTGRES_MAJOR
  if (version === POSTGRES_MAJOR) return
  throw new Explained(
    `The data in ${dataDir} belongs to PostgreSQL ${version}, and this is PostgreSQL ` +
      `${POSTGRES_MAJOR}. Move the data with pg_upgrade, choose another folder with --data DIR, ` +
      'or begin anew with --fresh.',
  )
}
