/** Owns who is asking: access tokens of people, tokens of services, and the key sets that verify both. */
import type { Claims, PrivateJwk } from './crypto.ts'
import type { KeySets } from './key-sets.ts'
import { Problem } from './problem.ts'
import type { World } from './world.ts'

/** Header types keep the two kinds of token apart (RFC 8725, 3.11; `at+jwt` is RFC 9068). */
export const ACCESS_TOKEN_TYPE = 'at+jwt'
export const SERVICE_TOKEN_TYPE = 'service+jwt'
/** Audience of access tokens: every service of the shop. */
export const ACCESS_TOKEN_AUDIENCE = 'quartet'
/** Issuer of access tokens. */
export const ACCESS_TOKEN_ISSUER = 'users'
/** No access token lives for longer. */
export const MAX_ACCESS_TOKEN_TTL_S = 3_600

export type Role = 'customer' | 'admin'

/** A person, as the access token says. */
export type Principal = { userId: string; role: Role; sessionId: string }

/** A request, of which only the headers matter here. */
type Asking = Pick<Request, 'headers'>

export type Authenticator = {
  /** Who signed in; a 401 problem for a token that is absent, wrong, foreign, expired or of an erased account. */
  user: (request: Asking) => Promise<Principal>
  /** Like `user`, but undefined when no token was sent. */
  optionalUser: (request: Asking) => Promise<Principal | undefined>
  /** Like `user`; a 403 problem for anyone but an admin. */
  admin: (request: Asking) => Promise<Principal>
  /** The calling service's name; 401 or 403 unless its token is for this service and this scope. */
  service: (request: Asking, scope: string) => Promise<string>
  /** Like `service` for a service's token, giving its name; like `admin` otherwise, giving undefined. */
  serviceOrAdmin: (request: Asking, scope: string) => Promise<string | undefined>
}

export type AuthenticatorOptions = {
  /** This service's name: the audience of services' tokens. */
  audience: string
  /** Names of the services whose commands are taken, and that may read events. */
  callers: string[]
  keySets: Pick<KeySets, 'find'>
  /** Whether this user was erased: a token that is still valid opens nothing then. */
  isErased?: (userId: string) => boolean
}

const MAX_CACHED_TOKENS = 10_000

type Expected = { issuer: string; audience: string; typ: string }

/** Verified claims are kept until they expire: a check costs about 0.2 ms. */
function createVerifier(
  world: Pick<World<unknown>, 'clock' | 'crypto'>,
  keySets: Pick<KeySets, 'find'>,
) {
  const verified = new Map<string, Claims>()
  return async (token: string, expected: Expected): Promise<Claims> => {
    const cacheKey = `${expected.typ} ${token}`
    const known = verified.get(cacheKey)
    const nowMs = world.clock.now()
    if (known !== undefined && (known.exp ?? 0) * 1_000 > nowMs) return known
    verified.delete(cacheKey)
    const kid = world.crypto.keyIdOf(token)
    const key = kid === undefined ? undefined : await keySets.find(expected.issuer, kid)
    if (key === undefined) throw unauthenticated('The token was not signed by a key known here.')
    const claims = await world.crypto.verifyJwt(token, key, { ...expected, nowMs }).catch(() => {
      throw unauthenticated('The token is expired, not for this service, or was changed.')
    })
    for (const oldest of verified.size < MAX_CACHED_TOKENS ? [] : verified.keys()) {
      verified.delete(oldest)
      break
    }
    verified.set(cacheKey, claims)
    return claims
  }
}

// What every access token says of itself.
const ACCESS = {
  issuer: ACCESS_TOKEN_ISSUER,
  audience: ACCESS_TOKEN_AUDIENCE,
  typ: ACCESS_TOKEN_TYPE,
}

/** Verifies bearer tokens. */
export function createAuthenticator(
  world: Pick<World<unknown>, 'clock' | 'crypto'>,
  { audience, callers, keySets, isErased = () => false }: AuthenticatorOptions,
): Authenticator {
  const verify = createVerifier(world, keySets)

  async function optionalUser(request: Asking): Promise<Principal | undefined> {
    const token = bearerOf(request)
    if (token === undefined) return undefined
    const principal = toPrincipal(await verify(token, ACCESS))
    if (isErased(principal.userId)) throw accountErased()
    return principal
  }

  async function user(request: Asking): Promise<Principal> {
    const principal = await optionalUser(request)
    if (principal === undefined) throw unauthenticated('Send an access token: POST /sessions.')
    return principal
  }

  async function admin(request: Asking): Promise<Principal> {
    const principal = await user(request)
    if (principal.role !== 'admin') throw forbidden('Only an admin may do this.')
    return principal
  }

  async function service(request: Asking, scope: string): Promise<string> {
    const token = bearerOf(request)
    if (token === undefined) throw unauthenticated('Commands take a token of a service.')
    const issuer = issuerOf(token)
    if (issuer === undefined || !callers.includes(issuer)) {
      throw forbidden('Commands are for other services only.')
    }
    const claims = await verify(token, { issuer, audience, typ: SERVICE_TOKEN_TYPE })
    if (claims['scope'] !== scope) throw forbidden(`The token's scope is not ${scope}.`)
    return issuer
  }

  return {
    user,
    optionalUser,
    admin,
    service,
    serviceOrAdmin: async (request, scope) => {
      const token = bearerOf(request)
      if (token !== undefined && issuerOf(token) !== ACCESS_TOKEN_ISSUER) {
        return service(request, scope)
      }
      await admin(request)
      return undefined
    },
  }
}

const unauthenticated = (detail: string) =>
  new Problem('unauthenticated', 'Authentication required', { detail })

/** The 401 problem of a valid token whose account is gone. */
export const accountErased = () =>
  new Problem('unauthenticated', 'The account was erased', {
    code: 'account_erased',
    detail: 'Its tokens open nothing any more.',
  })

/** A 403 problem. */
export const forbidden = (detail: string) => new Problem('forbidden', 'Not allowed', { detail })

// Far above any token of ours, far below what would cost to hash or keep.
const MAX_TOKEN_LENGTH = 4_096

function bearerOf(request: Asking): string | undefined {
  const header = request.headers.get('authorization')
  if (header === null) return undefined
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header)?.[1]
  if (token === undefined || token.length > MAX_TOKEN_LENGTH) {
    throw unauthenticated('The Authorization header must be "Bearer <token>".')
  }
  return token
}

// Unverified: it only chooses the key set that must then verify the token.
function issuerOf(token: string): string | undefined {
  try {
    const payload: unknown = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
    )
    if (typeof payload !== 'object' || payload === null || !('iss' in payload)) return undefined
    return typeof payload.iss === 'string' ? payload.iss : undefined
  } catch {
    return undefined
  }
}

function toPrincipal(claims: Claims): Principal {
  const { sub, role, sid } = claims
  if (
    typeof sub !== 'string' ||
    typeof sid !== 'string' ||
    (role !== 'admin' && role !== 'customer')
  ) {
    throw unauthenticated('The token lacks sub, sid or role.')
  }
  return { userId: sub, role, sessionId: sid }
}

const SERVICE_TOKEN_TTL_S = 300

/** A signer of this service's own tokens: one per callee and scope, made anew a minute before it expires. */
export function createServiceSigner(
  world: Pick<World<unknown>, 'clock' | 'crypto'>,
  issuer: string,
  key: PrivateJwk,
): (audience: string, scope: string) => Promise<string> {
  const tokens = new Map<string, { token: Promise<string>; expiresS: number }>()
  return (audience, scope) => {
    const nowS = Math.floor(world.clock.now() / 1_000)
    const name = `${audience} ${scope}`
    const known = tokens.get(name)
    if (known !== undefined && known.expiresS - 60 > nowS) return known.token
    const expiresS = nowS + SERVICE_TOKEN_TTL_S
    const claims = { iss: issuer, sub: issuer, aud: audience, scope, iat: nowS, exp: expiresS }
    const token = world.crypto.signJwt(claims, key, SERVICE_TOKEN_TYPE)
    tokens.set(name, { token, expiresS })
    token.catch(() => tokens.delete(name)) // the next call tries again
    return token
  }
}
