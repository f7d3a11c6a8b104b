/** Owns Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header): one effect a key, its answer replayed. */
import type { Context, MiddlewareHandler } from 'hono'
import type { HttpEnv } from './http.ts'
import { derivedId } from './ids.ts'
import { Problem } from './problem.ts'
import type { World } from './world.ts'

type KeyWorld = Pick<World<unknown>, 'db' | 'clock' | 'timers' | 'crypto' | 'log'>

/** The answer that is kept: enough to give it again as it was. */
type Answer = { status: number; headers: Record<string, string>; body: string }

type KeyRow = { request_hash: string; answer: Answer | null }

// A replica that died leaves its claim; after this long another request may run it again.
const LEASE_MS = 30_000
const WAIT_MS = 10_000
const POLL_MS = 100
const RETENTION_MS = 48 * 3_600_000
const SWEEP_MS = 3_600_000
const KEPT_HEADERS = ['content-type', 'location', 'etag']

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
 * Runs keyed requests once. `callerOf` says who asks, as the scope of the key: a user's id, or for
 * anonymous callers what they create. Answers of 2xx, 402 and 409 are kept for 48 hours and replayed
 * with `Idempotent-Replayed: true`; anything else frees the key. The claim is a lease: when the
 * replica that held it dies the request runs again, so the handler must find what it created before
 * (see `newId`).
 */
export function idempotent(
  world: KeyWorld,
  callerOf: (c: Context<HttpEnv>) => Promise<string>,
): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const key = idempotencyKeyOf(c.req.raw)
    if (key === undefined) return next()
    const hash = (text: string) => Buffer.from(world.crypto.sha256(text)).toString('base64url')
    const scope = hash(JSON.stringify([await callerOf(c), c.req.method, c.req.path, key]))
    const requestHash = hash(await c.req.text())
    const answer = await claimOrWait(world, scope, requestHash)
    if (answer !== undefined) return replay(answer)
    c.set('idempotencyScope', scope)
    await next()
    await settle(world, scope, c.res)
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

// Undefined: the claim is ours. An answer: somebody's claim ended.
async function claimOrWait(
  world: KeyWorld,
  scope: string,
  requestHash: string,
): Promise<Answer | undefined> {
  const deadlineMs = world.clock.now() + WAIT_MS
  for (;;) {
    if (await claim(world, scope, requestHash)) return undefined
    const [row] = await world.db.query<KeyRow>(
      'select request_hash, answer from idempotency_keys where scope = $1',
      [scope],
    )
    if (row !== undefined && row.request_hash !== requestHash) throw keyReused()
    if (row?.answer) return row.answer
    if (world.clock.now() >= deadlineMs) throw keyInProgress()
    if (row !== undefined) await world.timers.sleep(POLL_MS)
  }
}

async function claim({ db, clock }: KeyWorld, scope: string, requestHash: string) {
  const nowMs = clock.now()
  const claimed = await db.query(
    `insert into idempotency_keys as held (scope, request_hash, leased_until, created_at)
     values ($1, $2, $3, $4)
     on conflict (scope) do update set leased_until = excluded.leased_until
     where held.answer is null and held.request_hash = excluded.request_hash
       and held.leased_until < excluded.created_at
     returning scope`,
    [scope, requestHash, new Date(nowMs + LEASE_MS), new Date(nowMs)],
  )
  return claimed.length > 0
}

const isKept = (status: number) => (status >= 200 && status < 300) || [402, 409].includes(status)

// When this fails the effect stands; the lease runs out and the same request finds what it made.
async function settle({ db, log }: KeyWorld, scope: string, response: Response): Promise<void> {
  try {
    if (!isKept(response.status)) {
      await db.query('delete from idempotency_keys where scope = $1 and answer is null', [scope])
      return
    }
    const headers = KEPT_HEADERS.flatMap((name) => {
      const value = response.headers.get(name)
      return value === null ? [] : [[name, value] as const]
    })
    const body = await response.clone().text()
    const answer: Answer = { status: response.status, headers: Object.fromEntries(headers), body }
    await db.query('update idempotency_keys set answer = $2 where scope = $1', [
      scope,
      JSON.stringify(answer),
    ])
  } catch (error) {
    log.warn({ error }, 'the answer of a keyed request could not be kept')
  }
}

function replay({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers: { ...headers, 'idempotent-replayed': 'true' } })
}

/** Deletes keys older than 48 hours, now and every hour, until the returned function is called. */
export function startKeyRetention(world: KeyWorld): () => void {
  let cancel = () => {}
  const sweep = () => {
    const before = new Date(world.clock.now() - RETENTION_MS)
    world.db
      .query('delete from idempotency_keys where created_at < $1', [before])
      .catch((error: unknown) => world.log.warn({ error }, 'old keys could not be deleted'))
    cancel = world.timers.after(SWEEP_MS, sweep)
  }
  sweep()
  return () => cancel()
}
