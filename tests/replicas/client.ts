/** Owns how tests of replicas ask: each request meets either replica, and what broke is asked again by the same key. */
import assert from 'node:assert/strict'
import { ADMIN, type Replicas } from './processes.ts'

export type Answer = { status: number; body: Record<string, unknown> }
export type Ask = { method?: string; body?: unknown; token?: string; key?: string }

const TIMEOUT_MS = 3_500
const DEFINITE_WITHIN_MS = 120_000
const AGAIN_AFTER_MS = { first: 100, atMost: 2_000 }

export async function ask(url: string, { method, body, token, key }: Ask = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      connection: 'close', // each request meets either replica
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** As clients do: what broke, or isn't definite, is asked again by the same key, ever later. */
export async function untilDefinite(
  url: string,
  request: Ask,
  isDefinite: (status: number) => boolean,
): Promise<Answer> {
  const untilMs = performance.now() + DEFINITE_WITHIN_MS
  let waitMs = AGAIN_AFTER_MS.first
  while (performance.now() < untilMs) {
    const answer = await ask(url, request).catch(() => undefined)
    if (answer !== undefined && isDefinite(answer.status)) return answer
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    waitMs = Math.min(waitMs * 2, AGAIN_AFTER_MS.atMost)
  }
  return assert.fail(`no definite answer of ${url} to ${request.key}`)
}

export const isDone = (status: number) => status === 200 || status === 201

/** The session of an account. */
export async function logIn(
  at: Replicas,
  { email, password }: { email: string; password: string },
): Promise<Record<string, unknown>> {
  const url = `${at.originOf('users')}/sessions`
  return (await untilDefinite(url, { body: { email, password } }, isDone)).body
}

/** Makes a product of 10 USD; gives the admin's token. */
export async function stockShelf(at: Replicas, id: string, stock: number): Promise<string> {
  const token = String((await logIn(at, ADMIN))['access_token'])
  const price = { amount: 1_000, currency: 'USD' }
  const body = { id, name: id, description: '', category: 'Tests', price, stock }
  const url = `${at.originOf('products')}/products`
  await untilDefinite(url, { body, token, key: `shelf-${id}` }, isDone)
  return token
}
