/** Owns who may ask this service: beyond the token, the session must live and its user exist. */
import {
  createAuthenticator,
  forbidden,
  type Authenticator,
  type Principal,
} from '@quartet/kit/auth'
import { createBatcher } from '@quartet/kit/batch'
import { notFound } from '@quartet/kit/http'
import type { KeySets } from '@quartet/kit/key-sets'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import { findLiveSessions, type LiveSession } from './sessions/store.ts'

export type Access = Pick<Authenticator, 'user' | 'optionalUser' | 'admin' | 'serviceOrAdmin'> & {
  /** Whoever may act for the user with this id: that user and admins. For others there is no such user. */
  selfOrAdmin: (request: Request, id: string) => Promise<Principal>
}

type AccessWorld = Pick<World<unknown>, 'db' | 'clock' | 'crypto' | 'timers'>

/** Access tokens outlive their session elsewhere, until they expire; here, where it can be seen, they do not. */
export function createAccess(world: AccessWorld, keySets: Pick<KeySets, 'find'>): Access {
  const authenticator = createAuthenticator(world, {
    audience: 'users',
    callers: ['products', 'orders', 'payments'],
    keySets,
  })
  const sessions = createBatcher<string, LiveSession | undefined>({
    name: 'sessions',
    timers: world.timers,
    lanes: 2,
    run: async (ids) => {
      const live = new Map((await findLiveSessions(world.db, ids)).map((row) => [row.id, row]))
      return ids.map((id) => live.get(id))
    },
  })

  async function optionalUser(request: Pick<Request, 'headers'>): Promise<Principal | undefined> {
    const principal = await authenticator.optionalUser(request)
    return principal === undefined ? undefined : inGoodStanding(principal)
  }

  async function user(request: Pick<Request, 'headers'>): Promise<Principal> {
    return inGoodStanding(await authenticator.user(request))
  }

  async function inGoodStanding(principal: Principal): Promise<Principal> {
    const session = await sessions.add(principal.sessionId)
    if (session === undefined || session.userId !== principal.userId) throw sessionEnded()
    return { ...principal, role: session.role }
  }

  async function admin(request: Pick<Request, 'headers'>): Promise<Principal> {
    const principal = await user(request)
    if (principal.role !== 'admin') throw forbidden('Only an admin may do this.')
    return principal
  }

  return {
    user,
    optionalUser,
    admin,
    async serviceOrAdmin(request, scope) {
      const service = await authenticator.serviceOrAdmin(request, scope)
      if (service === undefined) await admin(request)
      return service
    },
    async selfOrAdmin(request, id) {
      const principal = await user(request)
      const isVisible = principal.role === 'admin' || principal.userId === id
      if (!isVisible || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw notFound('User')
      return principal
    },
  }
}

const sessionEnded = () =>
  new Problem('unauthenticated', 'The session has ended', {
    code: 'session_ended',
    detail: 'Log in again: POST /sessions.',
  })
