/** Owns secrets on disk: files that only their owner reads, written whole or not at all. */
import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** The content of a secret file; made by `make` when there is none. Two makers at once agree on one. */
export async function readOrMakeSecret(
  path: string,
  make: () => string | Promise<string>,
): Promise<string> {
  if (!existsSync(path)) placeSecret(path, await make())
  return readFileSync(path, 'utf8')
}

// A link fails where the name is taken, so the first maker's secret stands, and it stands whole.
function placeSecret(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const making = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  writeFileSync(making, content, { mode: 0o600, flush: true })
  try {
    linkSync(making, path)
  } catch (error) {
    if (!existsSync(path)) throw error
  } finally {
    rmSync(making)
  }
}

/** 32 random bytes as base64url. */
export const randomSecret = (): string => randomBytes(32).toString('base64url')
