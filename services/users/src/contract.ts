/** Owns what others may know of users: its routes and its resources, as schemas. */
import { createRoute, z } from '@hono/zod-openapi'
import { body, idInPath, json, keyHeader, problem, security } from '@quartet/kit/openapi'
import { id, page, pageQuery, text, timestamp } from '@quartet/kit/schema'

/** An e-mail address, trimmed and in lower case: that is how accounts are told apart. */
export const emailSchema = () =>
  text(254)
    .trim()
    .toLowerCase()
    .regex(z.regexes.email, 'must be an e-mail address')
    .openapi({ example: 'ada@example.com' })

// Keyboards compose the same letters differently (NIST SP 800-63B, 3.1.1.2).
const password = (min: number) => text(200, min).normalize('NFKC')

/** A password to be set: 8 to 200 characters. */
export const newPasswordSchema = () => password(8)

const name = () => text(200).refine((value) => value.trim() !== '', 'must not be blank')

/** What a client sends to register. The role cannot be sent; only an admin may leave out the password. */
export const createUserSchema = z
  .strictObject({
    id: id().optional(),
    email: emailSchema(),
    password: newPasswordSchema().optional(),
    name: name(),
  })
  .openapi('CreateUser')

/** What a client sends to change an account: any of the fields. One's own password needs the current one. */
export const updateUserSchema = z
  .strictObject({
    email: emailSchema().optional(),
    name: name().optional(),
    password: newPasswordSchema().optional(),
    current_password: password(1).optional(),
  })
  .openapi('UpdateUser')

/** What somebody leaves who buys without an account. */
export const createGuestSchema = z
  .strictObject({ email: emailSchema(), name: name() })
  .openapi('CreateGuest')

export const claimSchema = z.strictObject({ password: newPasswordSchema() }).openapi('Claim')

export const logInSchema = z
  .strictObject({ email: emailSchema(), password: password(1) })
  .openapi('LogIn')

export const refreshSchema = z.strictObject({ refresh_token: text(128) }).openapi('Refresh')

/** An account, as itself and admins see it. */
export const userSchema = z
  .object({
    id: z.string(),
    email: z.string(),
    name: z.string(),
    role: z.enum(['customer', 'admin']),
    /** Has no password: reached by the session that it began with alone, until it is claimed. */
    guest: z.boolean(),
    created_at: timestamp(),
    updated_at: timestamp(),
  })
  .openapi('User')

export type UserResource = z.output<typeof userSchema>

/**
 * A pair of tokens. `access_token` is a JWT (EdDSA, `at+jwt`) for `Authorization: Bearer` at every
 * service; `refresh_token` is good for one POST /sessions/refresh. Both times to live in seconds.
 */
export const sessionSchema = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    refresh_token: z.string(),
    refresh_expires_in: z.int(),
    user: userSchema,
  })
  .openapi('Session')

export type SessionResource = z.output<typeof sessionSchema>

/** Public keys of access tokens (RFC 7517, RFC 8037). */
export const jwksSchema = z
  .object({
    keys: z.array(
      z.object({
        kty: z.string(),
        crv: z.string(),
        x: z.string(),
        kid: z.string(),
        alg: z.string(),
        use: z.string(),
      }),
    ),
  })
  .openapi('KeySet')

const unauthenticated = problem('No token, or one that is wrong, expired or of an ended session')
const notFound = problem('User not found, or not yours to see')

export const routes = {
  register: createRoute({
    method: 'post',
    path: '/users',
    tags: ['users'],
    security: [{}, ...security],
    summary: 'Register a customer',
    description:
      'Needs no token. An admin may leave out `password`: such an account cannot log in.',
    parameters: [keyHeader],
    request: { body: body(createUserSchema) },
    responses: {
      201: json(userSchema, 'Registered'),
      400: problem('A field is wrong; `errors` names it'),
      409: problem('`email_taken` or `id_taken`'),
      422: problem('`idempotency_key_reused`'),
      503: problem('Too many passwords wait to be hashed'),
    },
  }),
  read: createRoute({
    method: 'get',
    path: '/users/{id}',
    tags: ['users'],
    security,
    summary: 'Read an account: one’s own, or any for an admin',
    request: { params: idInPath },
    responses: { 200: json(userSchema, 'The account'), 401: unauthenticated, 404: notFound },
  }),
  list: createRoute({
    method: 'get',
    path: '/users',
    tags: ['users'],
    security,
    summary: 'List accounts, newest first (admin)',
    request: { query: z.object({ ...pageQuery, email: emailSchema().optional() }) },
    responses: {
      200: json(page(userSchema), 'A page of accounts'),
      401: unauthenticated,
      403: problem('Only an admin may do this'),
    },
  }),
  update: createRoute({
    method: 'put',
    path: '/users/{id}',
    tags: ['users'],
    security,
    summary: 'Change an account: the fields that are sent',
    description:
      'One’s own password needs `current_password`. A new password ends the other sessions.',
    request: { params: idInPath, body: body(updateUserSchema) },
    responses: {
      200: json(userSchema, 'The account as it is now'),
      400: problem('A field is wrong; `errors` names it'),
      401: unauthenticated,
      403: problem('`wrong_password`'),
      404: notFound,
      409: problem('`email_taken`, or `guest_account` where a guest would get a password'),
      429: problem('Too many wrong passwords'),
      503: problem('Too many passwords wait to be hashed'),
    },
  }),
  erase: createRoute({
    method: 'delete',
    path: '/users/{id}',
    tags: ['users'],
    security,
    summary: 'Erase an account: its personal data and sessions; its id is never given again',
    request: { params: idInPath },
    responses: {
      200: json(z.object({ message: z.string() }), 'Erased'),
      401: unauthenticated,
      404: notFound,
    },
  }),
  createGuest: createRoute({
    method: 'post',
    path: '/guests',
    tags: ['guests'],
    summary: 'Begin a session of a guest, who buys without an account',
    description:
      'The e-mail is where a guest can be written to: it need not be free, lets nobody in, and the ' +
      'answer is the same whether an account has it or not. No answer is kept: each request makes ' +
      'another guest. One whose session has ended is erased after `GUEST_RETENTION_DAYS`.',
    request: { body: body(createGuestSchema) },
    responses: {
      201: json(sessionSchema, 'A guest with a session'),
      400: problem('A field is wrong; `errors` names it'),
    },
  }),
  claim: createRoute({
    method: 'post',
    path: '/users/{id}/claim',
    tags: ['guests'],
    security,
    summary: 'Make a guest a full account, by giving it a password',
    description:
      'By the guest’s own token. The id stays, and so do its orders; from then on it logs in with ' +
      'its e-mail. The same password again is the same answer.',
    parameters: [keyHeader],
    request: { params: idInPath, body: body(claimSchema) },
    responses: {
      200: json(userSchema, 'The account, a guest no more'),
      400: problem('A field is wrong; `errors` names it'),
      401: unauthenticated,
      404: notFound,
      409: problem('`email_taken` by a full account, or `already_claimed`'),
      422: problem('`idempotency_key_reused`'),
      429: problem('Too many wrong passwords'),
      503: problem('Too many passwords wait to be hashed'),
    },
  }),
  logIn: createRoute({
    method: 'post',
    path: '/sessions',
    tags: ['sessions'],
    summary: 'Log in',
    request: { body: body(logInSchema) },
    responses: {
      201: json(sessionSchema, 'Logged in'),
      401: problem('`invalid_credentials`: unknown e-mail or wrong password, which is not told'),
      429: problem('Too many failed log-ins of this account; see Retry-After'),
      503: problem('Too many passwords wait to be checked'),
    },
  }),
  refresh: createRoute({
    method: 'post',
    path: '/sessions/refresh',
    tags: ['sessions'],
    summary: 'Exchange a refresh token for a new pair of tokens',
    description:
      'A token is good for one exchange, and for 30 seconds more in case the answer was lost. ' +
      'Its use after that ends the session: somebody else has it.',
    request: { body: body(refreshSchema) },
    responses: {
      200: json(sessionSchema, 'A new pair'),
      401: problem('`invalid_refresh_token` or `refresh_token_reused`'),
      429: problem('The same token was exchanged too often'),
    },
  }),
  logOut: createRoute({
    method: 'delete',
    path: '/sessions/current',
    tags: ['sessions'],
    security,
    summary: 'Log out: end the session of this token',
    responses: { 204: { description: 'Ended' }, 401: unauthenticated },
  }),
  keys: createRoute({
    method: 'get',
    path: '/.well-known/jwks.json',
    tags: ['sessions'],
    summary: 'Public keys that verify access tokens',
    responses: { 200: json(jwksSchema, 'The key set') },
  }),
} as const
