/** Owns the HTTP of sessions and of the key set: request → action → response. */
import type { Http } from '@quartet/kit/http'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import type { Access } from '../access.ts'
import type { Config } from '../config.ts'
import { routes } from '../contract.ts'
import type { Credentials } from '../passwords/credentials.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { lockedOut } from '../routes.ts'
import { closeSessions, openSessions, refreshSessions } from './actions.ts'
import type { Tokens } from './tokens.ts'

type Dependencies = {
  world: World<Config>
  access: Access
  credentials: Credentials
  ring: KeyRing
  tokens: Tokens
}

// Tokens must not stay in any cache (RFC 6749, 5.1).
const NO_STORE = { 'cache-control': 'no-store' }

export function addSessionRoutes(http: Http, dependencies: Dependencies): void {
  addLogIn(http, dependencies)
  addRefresh(http, dependencies)
  const { world, access, ring } = dependencies

  http.openapi(routes.logOut, async (c) => {
    const { sessionId } = await access.user(c.req.raw)
    await closeSessions(world, [sessionId], 'logged_out')
    return c.body(null, 204)
  })

  http.openapi(routes.keys, async (c) => {
    const keys = await ring.published()
    return c.json({ keys }, 200, { 'cache-control': 'public, max-age=60' })
  })
}

function addLogIn(http: Http, { world, credentials, tokens }: Dependencies): void {
  http.openapi(routes.logIn, async (c) => {
    const { email, password } = c.req.valid('json')
    const proof = await credentials.prove(email, password)
    if (proof.kind === 'locked') throw lockedOut(proof.retryAfterS)
    if (proof.kind === 'refused') throw invalidCredentials()
    const refreshToken = tokens.newRefreshToken()
    const sessionId = world.ids.next('ses')
    const account = credentials.accountOf(email)
    const [user] = await openSessions(world, [
      { ...refreshToken, sessionId, user: proof.user, account },
    ])
    if (user === undefined) throw invalidCredentials()
    return c.json(await tokens.grant(user, sessionId, refreshToken), 201, NO_STORE)
  })
}

function addRefresh(http: Http, { world, tokens }: Dependencies): void {
  http.openapi(routes.refresh, async (c) => {
    const tokenHash = tokens.hashOf(c.req.valid('json').refresh_token)
    const next = tokens.newRefreshToken()
    const [outcome] = await refreshSessions(world, [{ tokenHash, next }])
    switch (outcome?.kind) {
      case 'granted': {
        const session = await tokens.grant(outcome.user, outcome.sessionId, next)
        return c.json(session, 200, NO_STORE)
      }
      case 'reused':
        throw tokenReused()
      case 'too_often':
        throw refreshedTooOften()
      default:
        throw invalidRefreshToken()
    }
  })
}

// One answer for an unknown e-mail, a wrong password and an account without one.
const invalidCredentials = () =>
  new Problem('unauthenticated', 'Wrong e-mail or password', { code: 'invalid_credentials' })

const invalidRefreshToken = () =>
  new Problem('unauthenticated', 'The refresh token is not valid', {
    code: 'invalid_refresh_token',
    detail: 'It is unknown or expired, or its session has ended. Log in again: POST /sessions.',
  })

const tokenReused = () =>
  new Problem('unauthenticated', 'The refresh token was used before', {
    code: 'refresh_token_reused',
    detail: 'Somebody else may have it, so the session was ended. Log in again: POST /sessions.',
  })

const refreshedTooOften = () =>
  new Problem('too_many_requests', 'The refresh token was used too often', {
    detail: 'Use the newest refresh token of this session.',
    retryAfterS: 1,
  })
