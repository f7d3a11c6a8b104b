/** Owns a browser's session: tokens that live in cookies, renewed on the way, seen by no script. */
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import { z } from 'zod'
import type { Cookies } from './cookies.ts'
import { createRenewals, IN_SECONDS, JSON_TYPE, tokens, type AskUsers } from './renewals.ts'

type SessionWorld = Pick<World<unknown>, 'clock' | 'timers' | 'log'>

/** What a request that rides on a session sends on, and the cookies that its answer sets. */
type Ride = { accessToken: string | undefined; setCookies: string[] }

/** What the page is told, and the cookies that keep what it is not. */
type Begun = { answer: Response; setCookies: string[] }

export type Sessions = {
  /** The session of a request: renewed when it is about to end, over when users refuses it. */
  ride: (headers: Headers) => Promise<Ride>
  /** Begins one at users: that of an account, by its credentials, or that of a new guest. */
  begin: (at: '/sessions' | '/guests', body: ArrayBuffer) => Promise<Begun>
  /** Ends the session at users, and in the browser in any case. */
  logOut: (headers: Headers) => Promise<string[]>
}

/** An access token with less left than this is renewed before it is used. */
const RENEW_S = 60
const session = tokens.extend({ user: z.record(z.string(), z.unknown()) })

export function createSessions(
  world: SessionWorld,
  cookies: Cookies,
  askUsers: AskUsers,
): Sessions {
  const renewals = createRenewals(world, askUsers)

  return {
    async ride(headers) {
      const { access, refresh } = cookies.read(headers)
      const leftS = access === undefined ? 0 : secondsLeft(access, world.clock.now())
      if (leftS > RENEW_S || refresh === undefined) {
        return { accessToken: leftS > 0 ? access : undefined, setCookies: [] }
      }
      const renewal = await renewals.renew(refresh, leftS > 0)
      if (renewal.kind === 'renewed') {
        const accessToken = renewal.tokens.access_token
        return { accessToken, setCookies: cookies.keep(renewal.tokens) }
      }
      if (renewal.kind === 'refused') return { accessToken: undefined, setCookies: cookies.clear() }
      // Users does not answer: whoever has a token that is good still goes on with it.
      if (leftS > 0) return { accessToken: access, setCookies: [] }
      throw usersUnavailable()
    },
    async begin(at, body) {
      const answer = await askUsers(at, { method: 'POST', headers: JSON_TYPE, body })
      if (!answer.ok) return { answer, setCookies: [] }
      const made = session.parse(await answer.json())
      const expiresAt = new Date(world.clock.now() + made.refresh_expires_in * 1_000)
      const told = { user: made.user, expires_at: expiresAt.toISOString() }
      return { answer: Response.json(told), setCookies: cookies.keep(made) }
    },
    async logOut(asking) {
      const { access } = cookies.read(asking)
      if (access !== undefined) {
        const headers = { authorization: `Bearer ${access}`, ...IN_SECONDS }
        const init = { method: 'DELETE', headers }
        const response = await askUsers('/sessions/current', init)
        await response.body?.cancel()
        if (response.status >= 500) throw usersUnavailable()
      }
      return cookies.clear()
    },
  }
}

const usersUnavailable = () =>
  new Problem('unavailable', 'The session cannot be checked now', {
    code: 'service_unavailable',
    detail: 'The users service does not answer. Try again in a moment.',
    members: { service: 'users' },
    retryAfterS: 1,
  })

/** Who a token says it is, unverified: whoever takes it verifies it. */
export function subjectOf(accessToken: string): string | undefined {
  const { sub } = payloadOf(accessToken)
  return sub
}

const payload = z.object({ exp: z.number(), sub: z.string() }).partial()

function secondsLeft(accessToken: string, nowMs: number): number {
  return (payloadOf(accessToken).exp ?? 0) - nowMs / 1_000
}

function payloadOf(token: string): z.output<typeof payload> {
  try {
    const text = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
    return payload.parse(JSON.parse(text))
  } catch {
    return {}
  }
}
