/** Owns `/browser`: logging in, coming as a guest, who it is, logging out, for pages that never see a token. */
import { limitedBody } from '@quartet/kit/body-limit'
import { Problem } from '@quartet/kit/problem'
import type { Hono } from 'hono'
import type { Env } from '../app.ts'
import { checkSameOrigin } from './csrf.ts'
import type { Limits } from '../limits/limits.ts'
import { MAX_BODY_BYTES } from '../api.ts'
import { IN_SECONDS, type AskUsers } from './renewals.ts'
import { subjectOf, type Sessions } from './session.ts'

type Dependencies = {
  limits: Limits
  sessions: Sessions
  askUsers: AskUsers
  publicOrigin: string
}

const PATH = '/browser/session'
/** Paths that begin a session, and where users begins it. */
const BEGINNINGS = { [PATH]: '/sessions', '/browser/guest': '/guests' } as const

export function addBrowserRoutes(
  http: Hono<Env>,
  { limits, sessions, askUsers, publicOrigin }: Dependencies,
): void {
  http.use('/browser/*', limitedBody(MAX_BODY_BYTES))
  http.use('/browser/*', async (c, next) => {
    const { address } = c.env
    const isSignIn = c.req.method === 'POST'
    await limits.check({ address, isSignIn, authorization: undefined })
    return next()
  })

  for (const [path, at] of Object.entries(BEGINNINGS)) {
    http.post(path, async (c) => {
      checkSameOrigin(c.req.raw, publicOrigin) // another site must not log a browser in either
      const { answer, setCookies } = await sessions.begin(at, await c.req.arrayBuffer())
      return withCookies(answer, setCookies)
    })
  }

  http.get(PATH, async (c) => {
    const { accessToken, setCookies } = await sessions.ride(c.req.raw.headers)
    const subject = accessToken === undefined ? undefined : subjectOf(accessToken)
    if (accessToken === undefined || subject === undefined) {
      return withCookies(Response.json({ user: null }), setCookies)
    }
    const headers = { authorization: `Bearer ${accessToken}`, ...IN_SECONDS }
    const answer = await askUsers(`/users/${encodeURIComponent(subject)}`, { headers })
    if (answer.ok) return withCookies(Response.json({ user: await answer.json() }), setCookies)
    await answer.body?.cancel()
    // The account is gone, or the token is not good any more.
    if (answer.status < 500) return withCookies(Response.json({ user: null }), setCookies)
    throw new Problem('unavailable', 'The session cannot be checked now', { retryAfterS: 1 })
  })

  http.delete(PATH, async (c) => {
    checkSameOrigin(c.req.raw, publicOrigin)
    return withCookies(
      new Response(null, { status: 204 }),
      await sessions.logOut(c.req.raw.headers),
    )
  })
}

/** The same answer, which sets these cookies too. */
function withCookies(answer: Response, setCookies: string[]): Response {
  const headers = new Headers(answer.headers)
  for (const cookie of setCookies) headers.append('set-cookie', cookie)
  return new Response(answer.body, { status: answer.status, headers })
}
