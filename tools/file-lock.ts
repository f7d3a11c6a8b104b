/** Owns the lock that keeps a second process away from what one may do alone. */
import { DatabaseSync } from 'node:sqlite'

const WAIT_MS = 500

/**
 * Locks `path` (an empty file that stays) until the returned function is called or the process
 * ends; throws when another holds it. SQLite's file lock is the one that Node offers which the
 * system frees when its owner dies, so there is no stale lock to clear by hand.
 */
export function lockFile(path: string): () => void {
  const lock = new DatabaseSync(path)
  try {
    lock.exec(`pragma busy_timeout = ${WAIT_MS}; pragma journal_mode = memory; begin exclusive`)
    return () => lock.close()
  } catch (error) {
    lock.close()
    throw error
  }
}
