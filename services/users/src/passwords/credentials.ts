/** Owns passwords: hashed one at a time, and checked so that an answer tells no more than yes or no. */
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import { lockedForS, LOGIN_WINDOW_MS, type User } from '../domain.ts'
import { addFailure, findFailures } from './login-failures.ts'
import { findByEmail } from '../store.ts'

type CredentialsWorld = Pick<
  World<{ HASH_CONCURRENCY: number }>,
  'config' | 'db' | 'clock' | 'crypto'
>

type Proof =
  | { kind: 'accepted'; user: User }
  | { kind: 'refused' }
  | { kind: 'locked'; retryAfterS: number }

export type Credentials = {
  /** Argon2id in PHC format. A 503 problem when too many wait. */
  hash: (password: string) => Promise<string>
  /** Whether this is the password of the account with this e-mail; failures are counted. */
  prove: (email: string, password: string) => Promise<Proof>
  /** Like `prove` without the counting, for a request that had proved itself otherwise. */
  matches: (user: User, password: string) => Promise<boolean>
  /** What failed log-ins of an e-mail are counted under: known or not, and without naming it. */
  accountOf: (email: string) => string
}

const MAX_WAITING = 100

export function createCredentials(world: CredentialsWorld): Credentials {
  const { config, db, clock, crypto } = world
  const bulkhead = createBulkhead(config.HASH_CONCURRENCY)
  let dummy: Promise<string> | undefined
  // Verified where there is no password, so that the same work is done (and fails).
  const dummyHash = () => (dummy ??= crypto.hashPassword('an account that does not exist'))
  const accountOf = (email: string) =>
    Buffer.from(crypto.sha256(`login ${email}`)).toString('base64url')

  async function lock(account: string): Promise<Proof | undefined> {
    const retryAfterS = lockedForS(await findFailures(db, account), clock.now())
    return retryAfterS === 0 ? undefined : { kind: 'locked', retryAfterS }
  }

  async function verify(email: string, password: string): Promise<Proof> {
    const account = accountOf(email)
    // Again, now that those who waited before this one have failed or not.
    const locked = await lock(account)
    if (locked !== undefined) return locked
    const user = await findByEmail(db, email)
    const hash = user?.passwordHash ?? null
    const matches = await crypto.verifyPassword(password, hash ?? (await dummyHash()))
    if (user !== undefined && hash !== null && matches) return { kind: 'accepted', user }
    const nowMs = clock.now()
    const windowFloor = new Date(nowMs - LOGIN_WINDOW_MS)
    await addFailure(db, account, { now: new Date(nowMs), windowFloor })
    return { kind: 'refused' }
  }

  return {
    accountOf,
    hash: (password) => bulkhead(() => crypto.hashPassword(password)),
    prove: async (email, password) =>
      (await lock(accountOf(email))) ?? bulkhead(() => verify(email, password)),
    matches: async ({ passwordHash }, password) =>
      passwordHash !== null && bulkhead(() => crypto.verifyPassword(password, passwordHash)),
  }
}

/** Runs at most `concurrency` works at once; the rest wait in turn, up to a limit. */
function createBulkhead(concurrency: number) {
  const waiting: (() => void)[] = []
  let running = 0
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (running < concurrency) running += 1
    else if (waiting.length < MAX_WAITING) await new Promise<void>((turn) => waiting.push(turn))
    else throw tooBusy()
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next() // the place is handed on
    }
  }
}

const tooBusy = () =>
  new Problem('unavailable', 'Too many passwords wait to be checked', {
    detail: 'Nothing was done. Try again in a moment.',
    retryAfterS: 2,
  })
