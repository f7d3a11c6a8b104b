/** Owns the public keys of others, kept in this service's own database so that it needs no neighbour to verify. */
import { z } from 'zod'
import type { PublicJwk } from './crypto.ts'
import { Problem } from './problem.ts'
import { withTimeout } from './timeout.ts'
import type { World } from './world.ts'

export type KeySets = {
  /**
   * The key of `issuer` with this `kid`; asks the issuer when it is unknown here, not more often
   * than every 5 s (1 s while it has no key of the issuer at all). A 503 problem when not one key of the issuer was ever seen.
   */
  find: (issuer: string, kid: string) => Promise<PublicJwk | undefined>
  /** Loads what the database has, then asks the issuers in the background. */
  start: () => Promise<void>
}

const keySchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string(),
  alg: z.literal('EdDSA'),
  use: z.literal('sig'),
})
// Keys of kinds that are not used here are passed over (RFC 7517, 5).
const jwksSchema = z.object({ keys: z.array(z.unknown()).max(20) })

const MIN_REFRESH_MS = 5_000
// While not one key is known nobody can sign in here, so an issuer that starts late is found sooner.
const FIRST_REFRESH_MS = 1_000
// A key that its issuer withdrew is refused here after this long.
const MAX_AGE_MS = 600_000
const FETCH_TIMEOUT_MS = 2_000

const keysUnknown = (issuer: string) =>
  new Problem('unavailable', 'Tokens cannot be verified yet', {
    detail: `The keys of ${issuer} are not known here yet, because it has not answered. Try again.`,
    retryAfterS: 1,
  })

type KeySet = { keys: PublicJwk[]; askedAt: number }

/** Key sets of `issuers`: name → base URL, whose `/.well-known/jwks.json` is a JWK set (RFC 7517). */
export function createKeySets(
  world: Pick<World<unknown>, 'db' | 'clock' | 'timers' | 'fetch' | 'log'>,
  issuers: Record<string, string>,
): KeySets {
  const baseUrls = new Map(Object.entries(issuers))
  const sets = new Map<string, KeySet>()
  const refreshing = new Map<string, Promise<void>>()

  async function refresh(issuer: string, baseUrl: string): Promise<void> {
    const set = sets.get(issuer)
    const pauseMs = (set?.keys.length ?? 0) === 0 ? FIRST_REFRESH_MS : MIN_REFRESH_MS
    if (set !== undefined && world.clock.now() - set.askedAt < pauseMs) return
    sets.set(issuer, { keys: set?.keys ?? [], askedAt: world.clock.now() })
    try {
      const keys = await fetchKeys(world, baseUrl)
      sets.set(issuer, { keys, askedAt: world.clock.now() })
      await save(world, issuer, keys)
    } catch (error) {
      world.log.warn({ issuer, error }, 'the key set could not be fetched; the known keys stay')
    }
  }

  function refreshOnce(issuer: string, baseUrl: string): Promise<void> {
    let running = refreshing.get(issuer)
    if (running === undefined) {
      running = refresh(issuer, baseUrl).finally(() => refreshing.delete(issuer))
      refreshing.set(issuer, running)
    }
    return running
  }

  const known = (issuer: string, kid: string) =>
    sets.get(issuer)?.keys.find((key) => key.kid === kid)

  const isOld = (issuer: string) =>
    world.clock.now() - (sets.get(issuer)?.askedAt ?? 0) > MAX_AGE_MS

  return {
    async find(issuer, kid) {
      const baseUrl = baseUrls.get(issuer)
      const key = known(issuer, kid)
      if (baseUrl === undefined) return key
      if (key === undefined) await refreshOnce(issuer, baseUrl)
      else if (isOld(issuer)) void refreshOnce(issuer, baseUrl)
      if ((sets.get(issuer)?.keys.length ?? 0) === 0) throw keysUnknown(issuer)
      return known(issuer, kid)
    },
    async start() {
      const rows = await world.db.query<{ issuer: string; keys: PublicJwk[] }>(
        'select issuer, keys from key_sets',
      )
      for (const { issuer, keys } of rows) sets.set(issuer, { keys, askedAt: 0 })
      for (const [issuer, baseUrl] of baseUrls) void refreshOnce(issuer, baseUrl)
    },
  }
}

async function fetchKeys(
  { fetch, timers }: Pick<World<unknown>, 'fetch' | 'timers'>,
  baseUrl: string,
): Promise<PublicJwk[]> {
  const answer = await withTimeout(timers, FETCH_TIMEOUT_MS, async (signal) => {
    const response = await fetch(`${baseUrl}/.well-known/jwks.json`, { signal })
    if (response.ok) return response.json()
    await response.body?.cancel()
    throw new Error(`the key set answered ${response.status}`)
  })
  const keys = jwksSchema.parse(answer).keys.flatMap((key) => keySchema.safeParse(key).data ?? [])
  if (keys.length === 0) throw new Error('the key set holds no key that is usable here')
  return keys
}

async function save(
  { db, clock }: Pick<World<unknown>, 'db' | 'clock'>,
  issuer: string,
  keys: PublicJwk[],
): Promise<void> {
  await db.query(
    `insert into key_sets (issuer, keys, fetched_at) values ($1, $2, $3)
     on conflict (issuer) do update set keys = excluded.keys, fetched_at = excluded.fetched_at`,
    [issuer, JSON.stringify(keys), new Date(clock.now())],
  )
}
