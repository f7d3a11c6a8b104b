/** Owns what the tests of users stand on: the service on a database of its own, and a short way to ask it. */
import assert from 'node:assert/strict'
import {
  createTestClock,
  createTestDatabase,
  createTestWorld,
  type TestClock,
  type TestDatabase,
} from '@quartet/kit/testing'
import type { World } from '@quartet/kit/world'
import { realClock, realTimers } from '@quartet/kit/time'
import { z } from 'zod'
import { usersService } from './app.ts'
import type { Config } from './config.ts'
import { sessionSchema, userSchema } from './contract.ts'

export const ADMIN = { email: 'root@shop.test', password: 'correct horse' }

export const testConfig: Config = Object.freeze({
  HOST: '127.0.0.1',
  PORT: 0,
  LOG_LEVEL: 'silent',
  DATABASE_URL: '',
  DATABASE_POOL_SIZE: 10,
  ADMISSION_TARGET_MS: 500,
  EVENT_RETENTION_DAYS: 30,
  NATS_PREFIX: 'quartet',
  NATS_REPLICAS: 1,
  PRODUCTS_URL: 'http://products.test',
  ORDERS_URL: 'http://orders.test',
  PAYMENTS_URL: 'http://payments.test',
  KEY_ENCRYPTION_SECRET_FILE: new Uint8Array(32).fill(7),
  HASH_CONCURRENCY: 2,
  ACCESS_TOKEN_TTL_S: 900,
  REFRESH_TOKEN_TTL_S: 30 * 86_400,
  GUEST_RETENTION_DAYS: 365,
  KEY_ROTATION_S: 30 * 86_400,
  BOOTSTRAP_ADMIN_EMAIL: ADMIN.email,
  BOOTSTRAP_ADMIN_PASSWORD_FILE: ADMIN.password,
})

type Ask = { body?: unknown; token?: string | undefined; headers?: Record<string, string> }

export type Answer = { status: number; headers: Headers; text: string; body: unknown }

export type Asker = (line: string, ask?: Ask) => Promise<Answer>

/** `ask('POST /users', { body })`: one request and its answer, read. */
function createAsker(fetch: (request: Request) => Promise<Response>): Asker {
  return async (line, { body, token, headers = {} } = {}) => {
    const [method = '', path = ''] = line.split(' ')
    const response = await fetch(
      new Request(`http://users.test${path}`, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    )
    const text = await response.text()
    const parsed: unknown = text === '' ? undefined : JSON.parse(text)
    return { status: response.status, headers: response.headers, text, body: parsed }
  }
}

const problem = z.object({
  status: z.int(),
  code: z.string(),
  error: z.string(),
  errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
})

/** Asserts that an answer is a problem with this status and code; returns the fields it names. */
export function assertProblem(answer: Answer, status: number, code: string): string[] {
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
  const document = problem.parse(answer.body)
  assert.equal(document.code, code)
  assert.equal(document.status, status)
  return (document.errors ?? []).map(({ field }) => field)
}

/** Asserts the status and gives the account in the answer. */
export function userOf(answer: Answer, status: number) {
  assert.equal(answer.status, status, answer.text)
  return userSchema.strict().parse(answer.body)
}

/** Asserts the status and gives the pair of tokens in the answer. */
export function sessionOf(answer: Answer, status: number) {
  assert.equal(answer.status, status, answer.text)
  return sessionSchema.parse(answer.body)
}

/** The service on `database`; its clock stands still unless `real` time is asked for. */
export function openUsers(
  { db }: Pick<TestDatabase, 'db'>,
  {
    config = {},
    real = false,
    clock = createTestClock(),
  }: { config?: Partial<Config>; real?: boolean; clock?: TestClock } = {},
) {
  const world = createTestWorld<Config>({ config: { ...testConfig, ...config }, db, clock })
  const clocked: World<Config> = real ? { ...world, clock: realClock, timers: realTimers } : world
  const app = usersService.createApp(clocked)
  const ask = createAsker(app.fetch)
  const logIn = async ({ email, password }: { email: string; password: string }) =>
    sessionOf(await ask('POST /sessions', { body: { email, password } }), 201)
  return { app, ask, logIn, world: clocked, clock: world.clock }
}

let count = 0

/** A new person: an e-mail that no other test uses. */
export function newPerson() {
  count += 1
  return { email: `person${count}@shop.test`, password: `secret word ${count}`, name: 'Ada Person' }
}

export const createUsersDatabase = () => createTestDatabase(usersService)
