/** Owns asking the gateway: one function, and the two ways in which it can fail. */

import { noteCopy } from './kept-copy.ts'

/** A problem document (RFC 9457) as the services write it. */
export type ProblemDocument = {
  title: string
  status: number
  code: string
  detail?: string
  errors?: { field: string; detail: string }[]
  decline_code?: string
  order_id?: string
  total?: { amount: number; currency: string }
}

/** The shop has said no, for good: asking the same again changes nothing. */
export class Refusal extends Error {
  readonly problem: ProblemDocument

  constructor(problem: ProblemDocument) {
    super(problem.title)
    this.name = 'Refusal'
    this.problem = problem
  }

  get status(): number {
    return this.problem.status
  }

  get code(): string {
    return this.problem.code
  }
}

/** Nobody has answered, or nobody could: what became of the request is not known. */
export class NoAnswer extends Error {
  /** What the shop asks to wait before the next try. */
  readonly retryAfterMs: number | undefined
  readonly status: number | undefined

  constructor(why: string, status?: number, retryAfterMs?: number) {
    super(why)
    this.name = 'NoAnswer'
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

export type Ask = {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  body?: unknown
  /** Idempotency-Key: however often this is sent, it takes effect once. */
  key?: string
  signal?: AbortSignal
}

/** How long the gateway may take: somebody who looks wants to know soon, an order may take its time. */
const READ_MS = 4_000
const WRITE_MS = 30_000
/** A connection that is silent for so much longer is dead. */
const GRACE_MS = 5_000

/** Asks the gateway; the cookies of the session ride along, and no script ever sees them. */
export async function ask<Answer>(path: string, how: Ask = {}): Promise<Answer> {
  const response = await send(path, how)
  noteCopy(path, response)
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok) return body as Answer
  const problem = toProblem(response.status, body)
  if (isUnknown(problem)) {
    throw new NoAnswer(problem.title, problem.status, toldToWaitMs(response))
  }
  throw new Refusal(problem)
}

function send(path: string, { method, body, key, signal }: Ask): Promise<Response> {
  const asked = method ?? (body === undefined ? 'GET' : 'POST')
  const patienceMs = asked === 'GET' ? READ_MS : WRITE_MS
  const timeout = AbortSignal.timeout(patienceMs + GRACE_MS)
  return fetch(path, {
    method: asked,
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    headers: {
      accept: 'application/json',
      'x-request-timeout-ms': String(patienceMs),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error
    throw new NoAnswer('The shop cannot be reached')
  })
}

function toProblem(status: number, body: unknown): ProblemDocument {
  const told = typeof body === 'object' && body !== null ? body : {}
  return { title: `The shop answered ${status}`, code: String(status), ...told, status }
}

// What was too much, is still running or fell over may be asked again by the same key.
function isUnknown({ status, code }: ProblemDocument): boolean {
  return status >= 500 || status === 429 || status === 408 || code === 'request_in_progress'
}

function toldToWaitMs({ headers }: Response): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined
}
