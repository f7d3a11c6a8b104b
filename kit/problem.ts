/** Owns how errors are told: one class, one closed set of kinds, mapped once to RFC 9457. */

/** The closed set of error kinds and the HTTP status of each (RFC 9110). */
export const STATUS_OF = {
  invalid: 400,
  unauthenticated: 401,
  payment_required: 402,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 410,
  precondition_failed: 412,
  too_large: 413,
  unsupported_media_type: 415,
  unprocessable: 422,
  precondition_required: 428,
  too_many_requests: 429,
  internal: 500,
  unavailable: 503,
} as const

export type ProblemKind = keyof typeof STATUS_OF

/** One wrong field of a request: `field` is a path such as `line_items.0.quantity`. */
export type FieldError = { field: string; detail: string }

export type ProblemOptions = {
  /** Stable machine-readable code; the kind itself where nothing more precise is known. */
  code?: string
  /** What happened here and what to do about it, for a person. */
  detail?: string
  errors?: FieldError[]
  /** Extension members of the problem document, such as `decline_code`. */
  members?: Record<string, unknown>
  /** Seconds for the Retry-After header. */
  retryAfterS?: number
  /** Further response headers. */
  headers?: Record<string, string>
}

/** An expected refusal that ends a request. Anything else that is thrown is a 500. */
export class Problem extends Error {
  readonly kind: ProblemKind
  readonly options: ProblemOptions

  constructor(kind: ProblemKind, title: string, options: ProblemOptions = {}) {
    super(title)
    this.name = 'Problem'
    this.kind = kind
    this.options = options
  }

  get status(): (typeof STATUS_OF)[ProblemKind] {
    return STATUS_OF[this.kind]
  }

  get code(): string {
    return this.options.code ?? this.kind
  }
}

/** The problem document of RFC 9457; `error` repeats the title for the plainest clients. */
export function problemDocument(problem: Problem, instance: string): Record<string, unknown> {
  const { detail, errors, members } = problem.options
  return {
    type: `urn:quartet:problem:${problem.code}`,
    title: problem.message,
    status: problem.status,
    ...(detail === undefined ? {} : { detail }),
    instance,
    code: problem.code,
    ...(errors === undefined ? {} : { errors }),
    ...members,
    error: problem.message,
  }
}

/** The `application/problem+json` response of a problem. */
export function problemResponse(problem: Problem, instance: string): Response {
  const headers = new Headers({
    ...problem.options.headers,
    'content-type': 'application/problem+json',
  })
  const { retryAfterS } = problem.options
  if (retryAfterS !== undefined) headers.set('retry-after', String(retryAfterS))
  if (problem.kind === 'unauthenticated') headers.set('www-authenticate', 'Bearer')
  return Response.json(problemDocument(problem, instance), { status: problem.status, headers })
}
