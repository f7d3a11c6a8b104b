/** Owns the signing keys of this replica: read from the database, rotated with the other replicas. */
import { publicHalf, type PrivateJwk, type PublicJwk } from '@quartet/kit/crypto'
import type { KeySets } from '@quartet/kit/key-sets'
import { ACCESS_TOKEN_ISSUER } from '@quartet/kit/auth'
import type { World } from '@quartet/kit/world'
import { deleteKeys, findKeys, insertKey, lockKeys, type StoredKey } from './store.ts'
import { dueKey, signingKey, withdrawnKeys, type KeyTimes, type Rotation } from './schedule.ts'
import { NONCE_BYTES, seal, unseal } from './sealing.ts'

type RingConfig = {
  KEY_ENCRYPTION_SECRET_FILE: Uint8Array
  KEY_ROTATION_S: number
  ACCESS_TOKEN_TTL_S: number
}
type RingWorld = Pick<
  World<RingConfig>,
  'config' | 'db' | 'clock' | 'timers' | 'random' | 'crypto' | 'log'
>

type RingKey = KeyTimes & { key: PrivateJwk }

export type KeyRing = {
  /** The key that signs now. */
  signing: () => Promise<PrivateJwk>
  /** Every key of which a token may be about, and the one that signs next. */
  published: () => Promise<PublicJwk[]>
  /** What verifies this service's own tokens. */
  keySets: KeySets
  start: () => Promise<void>
  stop: () => void
}

// Far below the lead of a new key, so that every replica publishes it in time.
const RELOAD_MS = 60_000
const MIN_RELOAD_MS = 1_000

/** Reads the keys when they are first needed and every minute, and makes the next one when it is due. */
export function createKeyRing(world: RingWorld): KeyRing {
  let keys: RingKey[] = []
  let loadedAtMs = -Infinity
  let loading: Promise<void> | undefined
  let cancel = () => {}

  async function load(): Promise<void> {
    const nowMs = world.clock.now()
    try {
      keys = (await readOrRotate(world)).map((stored) => open(world, stored))
    } catch (error) {
      if (keys.length === 0) throw error
      world.log.warn({ error }, 'the signing keys could not be read again; the known ones stay')
    }
    loadedAtMs = nowMs
  }

  async function current(maxAgeMs = RELOAD_MS): Promise<RingKey[]> {
    if (world.clock.now() - loadedAtMs >= maxAgeMs) {
      loading ??= load().finally(() => (loading = undefined))
      await loading
    }
    return keys
  }

  async function find(issuer: string, kid: string): Promise<PublicJwk | undefined> {
    if (issuer !== ACCESS_TOKEN_ISSUER) return undefined
    const named = (known: RingKey[]) => known.find((each) => each.kid === kid)?.key
    // Another replica may have made it just now.
    const key = named(await current()) ?? named(await current(MIN_RELOAD_MS))
    return key === undefined ? undefined : publicHalf(key)
  }

  async function start(): Promise<void> {
    await current()
    cancel = world.timers.after(RELOAD_MS, () => {
      void start().catch((error: unknown) => world.log.error({ error }, 'no signing key is known'))
    })
  }

  return {
    async signing() {
      const key = signingKey(await current(), world.clock.now())
      if (key === undefined) throw new Error('there is no signing key')
      return key.key
    },
    published: async () => (await current()).map(({ key }) => publicHalf(key)),
    keySets: { find, start },
    start,
    stop: () => cancel(),
  }
}

const rotationOf = ({ config }: RingWorld): Rotation => ({
  rotationMs: config.KEY_ROTATION_S * 1_000,
  accessTtlMs: config.ACCESS_TOKEN_TTL_S * 1_000,
})

async function readOrRotate(world: RingWorld): Promise<StoredKey[]> {
  const rotation = rotationOf(world)
  const nowMs = world.clock.now()
  const known = await findKeys(world.db)
  const isDue = dueKey(known, nowMs, rotation) !== undefined
  if (!isDue && withdrawnKeys(known, nowMs, rotation).length === 0) return known
  const candidate = await makeKey(world)
  return world.db.transaction(async (tx) => {
    await lockKeys(tx)
    // Read again under the lock: two replicas that find a key due make one.
    const keys = await findKeys(tx)
    const withdrawn = withdrawnKeys(keys, nowMs, rotation)
    await deleteKeys(
      tx,
      withdrawn.map(({ kid }) => kid),
    )
    const kept = keys.filter((key) => !withdrawn.includes(key))
    const signsFromMs = dueKey(kept, nowMs, rotation)
    if (signsFromMs === undefined) return kept
    const added = { ...candidate, signsFromMs }
    await insertKey(tx, added, new Date(nowMs))
    return [...kept, added]
  })
}

async function makeKey({
  config,
  crypto,
  random,
}: RingWorld): Promise<Omit<StoredKey, 'signsFromMs'>> {
  const key = await crypto.newSigningKey()
  const sealing = { secret: config.KEY_ENCRYPTION_SECRET_FILE, kid: key.kid }
  const sealedPrivateKey = seal(key.d, sealing, random.bytes(NONCE_BYTES))
  return { kid: key.kid, publicKey: publicHalf(key), sealedPrivateKey }
}

function open({ config }: RingWorld, stored: StoredKey): RingKey {
  const { kid, signsFromMs, publicKey, sealedPrivateKey } = stored
  try {
    const d = unseal(sealedPrivateKey, { secret: config.KEY_ENCRYPTION_SECRET_FILE, kid })
    return { kid, signsFromMs, key: { ...publicKey, d } }
  } catch (cause) {
    const message = 'KEY_ENCRYPTION_SECRET_FILE is not the secret that sealed the signing keys'
    throw new Error(message, { cause })
  }
}
