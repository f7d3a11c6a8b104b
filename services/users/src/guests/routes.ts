/** Owns the HTTP of guests: a session without an account, and a guest that becomes one. */
import type { Sequencer } from '@quartet/kit/events'
import { notFound, type Http } from '@quartet/kit/http'
import { idempotent } from '@quartet/kit/idempotency'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import type { Access } from '../access.ts'
import { updateUsers } from '../actions.ts'
import type { Config } from '../config.ts'
import { routes } from '../contract.ts'
import { toResource, type User } from '../domain.ts'
import type { Credentials } from '../passwords/credentials.ts'
import { lockedOut, readUser, withPepper } from '../routes.ts'
import type { Tokens } from '../sessions/tokens.ts'
import { welcomeGuests } from './actions.ts'

type Dependencies = {
  world: World<Config>
  access: Access
  credentials: Credentials
  sequencer: Sequencer
  tokens: Tokens
}

export function addGuestRoutes(http: Http, dependencies: Dependencies): void {
  addWelcome(http, dependencies)
  addClaim(http, dependencies)
}

// Nothing is looked up by the e-mail, so nothing can be learned from the answer or its time. Nor is an
// answer kept by a key: whoever repeats one would get into the guest that another's request made.
function addWelcome(http: Http, { world, sequencer, tokens }: Dependencies): void {
  http.openapi(routes.createGuest, async (c) => {
    const { email, name } = c.req.valid('json')
    const [id, sessionId] = [world.ids.next('usr'), world.ids.next('ses')]
    const made = new Date(world.clock.now())
    const stands = { role: 'customer', passwordHash: null, guest: true } as const
    const user: User = { id, email, name, ...stands, createdAt: made, updatedAt: made }
    const refreshToken = tokens.newRefreshToken()
    await welcomeGuests(world, [{ ...refreshToken, sessionId, user }])
    sequencer.ring()
    const session = await tokens.grant(user, sessionId, refreshToken)
    return c.json(session, 201, { 'cache-control': 'no-store' })
  })
}

function addClaim(http: Http, dependencies: Dependencies): void {
  const { world, access, credentials, sequencer } = dependencies
  const keyed = idempotent(withPepper(world), async (c) => ({
    subject: (await access.user(c.req.raw)).userId,
  }))
  http.openapi({ ...routes.claim, middleware: keyed }, async (c) => {
    const { id } = c.req.valid('param')
    const { password } = c.req.valid('json')
    const { userId, sessionId } = await access.user(c.req.raw)
    if (userId !== id) throw notFound('User')
    const user = await claimed(id, { password, sessionId })
    sequencer.ring()
    // With its Location an answer is found, and forgotten, when the account is erased.
    return c.json(toResource(user), 200, { location: `/users/${id}` })
  })

  type Claim = { password: string; sessionId: string }

  async function claimed(id: string, { password, sessionId }: Claim): Promise<User> {
    const guest = await readUser(world, id)
    if (!guest.guest) return claimedBefore(guest, password)
    const changes = { passwordHash: await credentials.hash(password), guest: false as const }
    const [outcome] = await updateUsers(world, [
      { id, changes, ifGuest: true, keptSessionId: sessionId },
    ])
    switch (outcome?.kind) {
      case 'updated':
        return outcome.user
      case 'no_guest':
        return claimedBefore(outcome.user, password)
      case 'email_taken':
        throw emailTaken()
      default:
        throw notFound('User')
    }
  }

  // Whose answer was lost asks again with the same password. What is not is counted as at a log-in: a
  // token that somebody else got hold of must not serve to guess.
  async function claimedBefore(user: User, password: string): Promise<User> {
    const proof = await credentials.prove(user.email, password)
    if (proof.kind === 'locked') throw lockedOut(proof.retryAfterS)
    if (proof.kind === 'accepted' && proof.user.id === user.id) return user
    throw alreadyClaimed()
  }
}

const emailTaken = () =>
  new Problem('conflict', 'Another account has this e-mail address', {
    code: 'email_taken',
    detail:
      'Log in to that account, or give this one another address first: PUT /users/:id. ' +
      'Until then it goes on as a guest, and keeps its orders.',
    errors: [{ field: 'email', detail: 'belongs to another account' }],
  })

const alreadyClaimed = () =>
  new Problem('conflict', 'The account is claimed already', {
    code: 'already_claimed',
    detail:
      'It has a password, and this is not it. Change it with the current one: PUT /users/:id.',
  })
