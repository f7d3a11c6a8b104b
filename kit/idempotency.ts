/** Owns Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header): one effect a key, its answer replayed. */
import type { Context, MiddlewareHandler } from 'hono'
import type { HttpEnv } from './http.ts'
import { derivedId } from './ids.ts'
import { ConnectionLost, type Tx } from './postgres.ts'
import { Problem } from './problem.ts'
import type { World } from './world.ts'

type KeyWorld = Pick<World<unknown>, 'db' | 'clock' | 'timers' | 'crypto' | 'log'>

/** The answer that is kept: enough to give it again as it was. */
type Answer = { status: number; headers: Record<string, string>; body: string }

type KeyRow = { request_hash: string; leased_until: Date; answer: Answer | null }

/** What a request wants to run as: its key, who it is from, and what it asks. */
type Wanted = { scope: string; subject: string | null; requestHash: string }

/** A claim on a key, until `leasedUntil`: whoever claimed it after that has another lease. */
type Claim = { scope: string; leasedUntil: Date }

// A replica that died leaves its claim; after this long another request may run it again. Longer than
// runs take that are alive, which have budgets of seconds; one that takes longer is overtaken, safely.
const LEASE_MS = 15_000
const WAIT_MS = 10_000
const POLL_MS = 100
const RETENTION_MS = 48 * 3_600_000
const SWEEP_MS = 3_600_000
// Deleted at once: small enough to end well within a statement's time limit.
const SWEEP_SIZE = 5_000
const KEPT_HEADERS = ['content-type', 'location', 'etag']

/**
 * Who asks, as the scope of a key: a subject, whose kept answers can be forgotten, or whatever tells
 * those apart who are not known.
 */
export type Caller = { subject: string } | { anonymous: string }

/** The request's Idempotency-Key; a 400 problem unless it is 1 to 255 printable ASCII characters. */
export function idempotencyKeyOf(request: Request): string | undefined {
  const key = request.headers.get('idempotency-key')
  if (key === null) return undefined
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key
  const detail = 'must be 1 to 255 printable ASCII characters without spaces'
  throw new Problem('invalid', 'Invalid request', {
    detail: `Idempotency-Key ${detail}.`,
    errors: [{ field: 'Idempotency-Key', detail }],
  })
}

/** The 422 problem of a key that was used before with another payload. */
export const keyReused = () =>
  new Problem('unprocessable', 'Idempotency-Key was used with another request', {
    code: 'idempotency_key_reused',
    detail: 'Use a new key for a new request; repeat a request with the same body.',
  })

/** The 409 problem of a key whose first request is still running. */
export const keyInProgress = () =>
  new Problem('conflict', 'The first request with this key is still running', {
    code: 'request_in_progress',
    retryAfterS: 1,
  })

/**
 * Runs keyed requests once. `callerOf` says who asks: somebody who is known, or for anonymous callers
 * what they create. Answers of 2xx, 402 and 409 are kept for 48 hours and replayed
 * with `Idempotent-Replayed: true`; anything else frees the key. The claim is a lease: when the
 * replica that held it dies the request runs again, so the handler must find what it created before
 * (see `newId`).
 */
export function idempotent(
  world: KeyWorld,
  callerOf: (c: Context<HttpEnv>) => Promise<Caller>,
): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const key = idempotencyKeyOf(c.req.raw)
    if (key === undefined) return next()
    const hash = (text: string) => Buffer.from(world.crypto.sha256(text)).toString('base64url')
    const caller = await callerOf(c)
    const subject = 'subject' in caller ? caller.subject : null
    const who = 'subject' in caller ? caller.subject : caller.anonymous
    const scope = hash(JSON.stringify([who, c.req.method, c.req.path, key]))
    const requestHash = hash(await c.req.text())
    const held = await claimOrWait(world, { scope, subject, requestHash })
    if ('status' in held) return replay(held)
    c.set('idempotencyScope', scope)
    await next()
    await settle(world, held, c.res)
  }
}

/** The id of what a request creates: the same for every run of one keyed request, else a new one. */
export function newId(
  world: Pick<World<unknown>, 'ids' | 'crypto'>,
  c: Context<HttpEnv>,
  prefix: string,
): string {
  const scope = c.get('idempotencyScope')
  return scope === undefined
    ? world.ids.next(prefix)
    : derivedId(prefix, world.crypto.sha256(`${prefix} ${scope}`))
}

// The claim, when it is ours; the answer, when somebody else's claim ended with one.
async function claimOrWait(world: KeyWorld, wanted: Wanted): Promise<Claim | Answer> {
  const { scope, requestHash } = wanted
  const deadlineMs = world.clock.now() + WAIT_MS
  let claimable = true
  for (;;) {
    const claimed = claimable && (await claim(world, wanted))
    if (claimed) return claimed
    const [row] = await world.db.query<KeyRow>(
      'select request_hash, leased_until, answer from idempotency_keys where scope = $1',
      [scope],
    )
    if (row !== undefined && row.request_hash !== requestHash) throw keyReused()
    if (row?.answer) return row.answer
    if (world.clock.now() >= deadlineMs) throw keyInProgress()
    // Reading is cheaper than trying to claim, which locks the row even when it changes nothing.
    claimable = row === undefined || row.leased_until.getTime() < world.clock.now()
    if (!claimable) await world.timers.sleep(POLL_MS)
  }
}

async function claim(world: KeyWorld, wanted: Wanted): Promise<Claim | undefined> {
  const nowMs = world.clock.now()
  try {
    return await insertClaim(world, { ...wanted, nowMs, isAgain: false })
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error
    // Ours may have been written and never answered: it would hold this very request back.
    return insertClaim(world, { ...wanted, nowMs, isAgain: true })
  }
}

async function insertClaim(
  { db }: KeyWorld,
  { scope, subject, requestHash, nowMs, isAgain }: Wanted & { nowMs: number; isAgain: boolean },
): Promise<Claim | undefined> {
  const leasedUntil = new Date(nowMs + LEASE_MS)
  const claimed = await db.query(
    `insert into idempotency_keys as held (scope, request_hash, leased_until, created_at, subject)
     values ($1, $2, $3, $4, $6)
     on conflict (scope) do update set leased_until = excluded.leased_until
     where held.answer is null and held.request_hash = excluded.request_hash
       and (held.leased_until < excluded.created_at
         or ($5 and held.leased_until = excluded.leased_until))
     returning scope`,
    [scope, requestHash, leasedUntil, new Date(nowMs), isAgain, subject],
  )
  return claimed.length > 0 ? { scope, leasedUntil } : undefined
}

const isKept = (status: number) => (status >= 200 && status < 300) || [402, 409].includes(status)

// When this fails the effect stands; the lease runs out and the same request finds what it made.
// Nothing is written by a run whose lease another has taken over.
async function settle(
  { db, log }: KeyWorld,
  { scope, leasedUntil }: Claim,
  response: Response,
): Promise<void> {
  const mine = 'scope = $1 and leased_until = $2 and answer is null'
  try {
    if (!isKept(response.status)) {
      await db.query(`delete from idempotency_keys where ${mine}`, [scope, leasedUntil])
      return
    }
    const answer = JSON.stringify(await answerOf(response))
    await db.query(`update idempotency_keys set answer = $3 where ${mine}`, [
      scope,
      leasedUntil,
      answer,
    ])
  } catch (error) {
    log.warn({ error }, 'the answer of a keyed request could not be kept')
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const headers = KEPT_HEADERS.flatMap((name) => {
    const value = response.headers.get(name)
    return value === null ? [] : [[name, value] as const]
  })
  const body = await response.clone().text()
  return { status: response.status, headers: Object.fromEntries(headers), body }
}

function replay({ status, headers, body }: Answer): Response {
  // A 204 must not have a body, not even an empty one (RFC 9110, 15.3.5).
  return new Response(body === '' ? null : body, {
    status,
    headers: { ...headers, 'idempotent-replayed': 'true' },
  })
}

/** Deletes up to `limit` keys of a subject with what was answered; returns how many. */
export async function deleteAnswersOf(tx: Tx, subject: string, limit: number): Promise<number> {
  const deleted = await tx.query(
    `delete from idempotency_keys where scope in (
       select scope from idempotency_keys where subject = $1 order by scope limit $2 for update
     ) returning scope`,
    [subject, limit],
  )
  return deleted.length
}

/** Deletes keys older than 48 hours, now and every hour, until the returned function is called. */
export function startKeyRetention(world: KeyWorld): () => void {
  let stopped = false
  let cancel = () => {}
  async function sweep(): Promise<void> {
    const before = new Date(world.clock.now() - RETENTION_MS)
    for (let deleted = SWEEP_SIZE; deleted === SWEEP_SIZE && !stopped;) {
      deleted = await deleteOlder(world, before)
    }
  }
  function sweepAndArm(): void {
    sweep().catch((error: unknown) => world.log.warn({ error }, 'old keys could not be deleted'))
    cancel = world.timers.after(SWEEP_MS, sweepAndArm)
  }
  sweepAndArm()
  return () => {
    stopped = true
    cancel()
  }
}

async function deleteOlder({ db }: KeyWorld, before: Date): Promise<number> {
  const deleted = await db.query(
    `delete from idempotency_keys where scope in (
       select scope from idempotency_keys where created_at < $1 order by created_at limit $2
       for update skip locked
     ) returning scope`,
    [before, SWEEP_SIZE],
  )
  return deleted.length
}
