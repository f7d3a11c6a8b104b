/** Owns the HTTP of accounts: request → action → response. */
import { decodeCursor, toPage } from '@quartet/kit/cursor'
import type { Sequencer } from '@quartet/kit/events'
import { notFound, type Http } from '@quartet/kit/http'
import { idempotent, newId } from '@quartet/kit/idempotency'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import type { Access } from './access.ts'
import { eraseUsers, registerUsers, updateUsers, type RegisterOutcome } from './actions.ts'
import type { Config } from './config.ts'
import { createUserSchema, routes } from './contract.ts'
import type { Credentials } from './passwords/credentials.ts'
import { isSameAccount, toResource, type User } from './domain.ts'
import { findByEmail, findUsers, listUsers } from './store.ts'

export type Dependencies = {
  world: World<Config>
  access: Access
  credentials: Credentials
  sequencer: Sequencer
}

export function addUserRoutes(http: Http, dependencies: Dependencies): void {
  addRegistration(http, dependencies)
  addReading(http, dependencies)
  addUpdate(http, dependencies)
  addErasure(http, dependencies)
}

function addRegistration(http: Http, dependencies: Dependencies): void {
  const { world, access, credentials, sequencer } = dependencies
  const keyed = idempotent(withPepper(world), async (c) => {
    const principal = await access.optionalUser(c.req.raw)
    if (principal !== undefined) return { subject: principal.userId }
    return { anonymous: anonymousScope(await c.req.json().catch(() => undefined)) }
  })
  http.openapi({ ...routes.register, middleware: keyed }, async (c) => {
    const principal = await access.optionalUser(c.req.raw)
    const body = c.req.valid('json')
    if (body.password === undefined && principal?.role !== 'admin') throw required('password')
    const id = body.id ?? newId(world, c, 'usr')
    const holder = await findByEmail(world.db, body.email)
    if (holder !== undefined && holder.id !== id) throw emailTaken() // spares a hash
    const createdAt = new Date(world.clock.now())
    const wanted: User = {
      id,
      email: body.email,
      name: body.name,
      role: 'customer',
      guest: false,
      passwordHash: body.password === undefined ? null : await credentials.hash(body.password),
      createdAt,
      updatedAt: createdAt,
    }
    const [outcome] = await registerUsers(world, [wanted])
    sequencer.ring()
    const isKeyed = c.get('idempotencyScope') !== undefined
    const earlier = isKeyed ? await earlierRun(credentials, outcome, wanted, body.password) : null
    const user = earlier ?? registeredUser(outcome)
    return c.json(toResource(user), 201, { location: `/users/${user.id}` })
  })
}

// The hash of a request that holds a password must not serve to guess it: it is salted with a secret.
export function withPepper(world: World<Config>): World<Config> {
  const { crypto, config } = world
  const secret = Buffer.from(config.KEY_ENCRYPTION_SECRET_FILE).toString('base64url')
  const pepper = Buffer.from(crypto.sha256(`requests ${secret}`)).toString('base64url')
  return { ...world, crypto: { ...crypto, sha256: (text) => crypto.sha256(`${pepper} ${text}`) } }
}

// Anonymous callers are scoped by what they create (rule 17): two strangers may use the same key.
function anonymousScope(body: unknown): string {
  const { success, data } = createUserSchema.safeParse(body)
  return success ? `anonymous ${data.id ?? data.email}` : 'anonymous'
}

// The key's lease had run out after the effect: what that run made is this request's own.
async function earlierRun(
  credentials: Credentials,
  outcome: RegisterOutcome | undefined,
  wanted: User,
  password: string | undefined,
): Promise<User | null> {
  const held = outcome?.kind === 'id_taken' ? outcome.holder : null
  if (held === null || !isSameAccount(held, wanted)) return null
  return password === undefined || (await credentials.matches(held, password)) ? held : null
}

function registeredUser(outcome: RegisterOutcome | undefined): User {
  if (outcome?.kind === 'registered') return outcome.user
  throw outcome?.kind === 'id_taken' ? idTaken() : emailTaken()
}

function addReading(http: Http, { world, access }: Dependencies): void {
  http.openapi(routes.read, async (c) => {
    const { id } = c.req.valid('param')
    await access.selfOrAdmin(c.req.raw, id)
    return c.json(toResource(await readUser(world, id)), 200)
  })

  http.openapi(routes.list, async (c) => {
    await access.admin(c.req.raw)
    const { limit, cursor, email } = c.req.valid('query')
    const [before] = cursor === undefined ? [undefined] : decodeCursor(cursor, 'number')
    const rows = await listUsers(world.db, { email, before, limit: limit + 1 })
    const page = toPage(
      rows,
      limit,
      ({ user }) => toResource(user),
      ({ position }) => [position],
    )
    return c.json(page, 200)
  })
}

function addUpdate(http: Http, dependencies: Dependencies): void {
  const { world, access, credentials, sequencer } = dependencies
  http.openapi(routes.update, async (c) => {
    const { id } = c.req.valid('param')
    const principal = await access.selfOrAdmin(c.req.raw, id)
    const { password, current_password: current, email, name } = c.req.valid('json')
    const user = await readUser(world, id)
    if (user.guest && password !== undefined) throw guestAccount()
    const isOwnPassword = password !== undefined && principal.userId === id
    if (isOwnPassword) await provePassword(credentials, user, current)
    const [outcome] = await updateUsers(world, [
      {
        id,
        changes: {
          ...(email === undefined ? {} : { email }),
          ...(name === undefined ? {} : { name }),
          ...(password === undefined ? {} : { passwordHash: await credentials.hash(password) }),
        },
        keptSessionId: principal.sessionId,
        ifPasswordHash: isOwnPassword ? user.passwordHash : undefined,
      },
    ])
    sequencer.ring()
    switch (outcome?.kind) {
      case 'updated':
        return c.json(toResource(outcome.user), 200)
      case 'email_taken':
        throw emailTaken()
      case 'password_changed':
        throw wrongPassword()
      default:
        throw notFound('User')
    }
  })
}

async function provePassword(
  credentials: Credentials,
  user: User,
  password: string | undefined,
): Promise<void> {
  if (password === undefined) throw required('current_password')
  const proof = await credentials.prove(user.email, password)
  if (proof.kind === 'locked') throw lockedOut(proof.retryAfterS)
  if (proof.kind === 'refused' || proof.user.id !== user.id) throw wrongPassword()
}

function addErasure(http: Http, { world, access, credentials, sequencer }: Dependencies): void {
  http.openapi(routes.erase, async (c) => {
    const { id } = c.req.valid('param')
    await access.selfOrAdmin(c.req.raw, id)
    const [erased] = await eraseUsers(world, [id], credentials.accountOf)
    if (erased !== true) throw notFound('User')
    sequencer.ring()
    return c.json({ message: 'User deleted' }, 200)
  })
}

export async function readUser({ db }: Pick<World<Config>, 'db'>, id: string): Promise<User> {
  const [user] = await findUsers(db, [id])
  if (user === undefined) throw notFound('User')
  return user
}

const fieldProblem = (field: string, detail: string) => ({
  detail: `Check: ${field}.`,
  errors: [{ field, detail }],
})

const required = (field: string) =>
  new Problem('invalid', 'Invalid request', fieldProblem(field, 'is required'))

const emailTaken = () =>
  new Problem('conflict', 'The e-mail address is taken', {
    ...fieldProblem('email', 'belongs to another account'),
    code: 'email_taken',
  })

const idTaken = () =>
  new Problem('conflict', 'The id is taken', {
    code: 'id_taken',
    detail: 'Choose another id, or leave it out.',
    errors: [{ field: 'id', detail: 'is taken' }],
  })

// The e-mail of a guest proves nothing: a current password would be asked of another's account.
const guestAccount = () =>
  new Problem('conflict', 'A guest has no password', {
    ...fieldProblem('password', 'is given to a guest by POST /users/:id/claim, with its own token'),
    code: 'guest_account',
  })

const wrongPassword = () =>
  new Problem('forbidden', 'Wrong password', {
    ...fieldProblem('current_password', 'is not the password of this account'),
    code: 'wrong_password',
  })

/** The 429 problem of an account with too many wrong passwords. */
export const lockedOut = (retryAfterS: number) =>
  new Problem('too_many_requests', 'Too many wrong passwords', {
    code: 'too_many_failures',
    detail: 'This account takes no log-in for a while. Sessions that are open go on.',
    retryAfterS,
  })
