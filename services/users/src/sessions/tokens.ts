/** Owns what a session hands out: a signed access token and an opaque refresh token. */
import { ACCESS_TOKEN_AUDIENCE, ACCESS_TOKEN_ISSUER, ACCESS_TOKEN_TYPE } from '@quartet/kit/auth'
import type { World } from '@quartet/kit/world'
import type { SessionResource } from '../contract.ts'
import { toResource, type User } from '../domain.ts'
import type { KeyRing } from '../keys/key-ring.ts'

type TokenConfig = { ACCESS_TOKEN_TTL_S: number; REFRESH_TOKEN_TTL_S: number }
type TokenWorld = Pick<World<TokenConfig>, 'config' | 'clock' | 'crypto' | 'random'>

type FreshToken = { token: string; tokenHash: string; expiresAt: Date }

export type Tokens = {
  /** A refresh token of 256 random bits; only its hash is ever stored. */
  newRefreshToken: () => FreshToken
  hashOf: (refreshToken: string) => string
  /** The answer to a log-in and to a refresh. */
  grant: (user: User, sessionId: string, refreshToken: FreshToken) => Promise<SessionResource>
}

export function createTokens(world: TokenWorld, ring: Pick<KeyRing, 'signing'>): Tokens {
  const { config, clock, crypto, random } = world
  const hashOf = (token: string) => Buffer.from(crypto.sha256(token)).toString('base64url')

  async function signAccessToken(user: User, sessionId: string): Promise<string> {
    const iat = Math.floor(clock.now() / 1_000)
    const claims = {
      iss: ACCESS_TOKEN_ISSUER,
      aud: ACCESS_TOKEN_AUDIENCE,
      sub: user.id,
      role: user.role,
      sid: sessionId,
      iat,
      exp: iat + config.ACCESS_TOKEN_TTL_S,
    }
    return crypto.signJwt(claims, await ring.signing(), ACCESS_TOKEN_TYPE)
  }

  return {
    hashOf,
    newRefreshToken() {
      const token = `rt_${Buffer.from(random.bytes(32)).toString('base64url')}`
      const expiresAt = new Date(clock.now() + config.REFRESH_TOKEN_TTL_S * 1_000)
      return { token, tokenHash: hashOf(token), expiresAt }
    },
    grant: async (user, sessionId, refreshToken) => ({
      access_token: await signAccessToken(user, sessionId),
      token_type: 'Bearer',
      expires_in: config.ACCESS_TOKEN_TTL_S,
      refresh_token: refreshToken.token,
      refresh_expires_in: config.REFRESH_TOKEN_TTL_S,
      user: toResource(user),
    }),
  }
}
