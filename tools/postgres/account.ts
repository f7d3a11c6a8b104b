/** Owns who PostgreSQL runs as: it refuses root, so root lends it an account that owns nothing else. */
import { chownSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Explained } from '../explained.ts'

export type Account = { uid: number; gid: number }

const NOBODY: Account = { uid: 65_534, gid: 65_534 }

/** The account for PostgreSQL; undefined means this very user. */
export function serverAccount(): Account | undefined {
  return process.getuid?.() === 0 ? NOBODY : undefined
}

/** Gives a file or folder to the account, where there is one. */
export function give(path: string, account: Account | undefined): void {
  if (account !== undefined) chownSync(path, account.uid, account.gid)
}

/** Throws a sentence that names the first closed folder on the way to `folder`. */
export function assertReachable(folder: string, account: Account | undefined): void {
  if (account === undefined) return
  for (const step of ancestors(folder)) {
    const { mode, uid } = statSync(step)
    if ((uid === account.uid ? mode & 0o100 : mode & 0o001) !== 0) continue
    throw new Explained(
      `PostgreSQL refuses to run as root, so it runs as user ${account.uid}, and ${step} is closed to ` +
        `that user. Open it with "chmod o+x ${step}", or leave out --data: the data then goes ` +
        'below /var/lib/quartet.',
    )
  }
}

function ancestors(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [...ancestors(parent), folder]
}
