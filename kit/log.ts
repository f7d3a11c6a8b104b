/** Owns the log: JSON lines on standard output, with named fields and never a whole request. */
import { pino } from 'pino'

export type Fields = Record<string, unknown>

export type Log = {
  debug: (fields: Fields, message: string) => void
  info: (fields: Fields, message: string) => void
  warn: (fields: Fields, message: string) => void
  error: (fields: Fields, message: string) => void
}

/** A log of `service`. Field names that could carry a secret are masked wherever they appear at the top. */
export function createLog(service: string, level: string): Log {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: ['password', 'token', 'access_token', 'refresh_token', 'authorization'],
    serializers: { error: (error: unknown) => describeError(error) },
  })
}

// Named fields only: an error of PostgreSQL carries whole rows in `detail` and `where`.
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error)
  const { name, message, stack, cause } = error
  return {
    type: name,
    message,
    ...('code' in error ? { code: error.code } : {}),
    ...('constraint' in error ? { constraint: error.constraint } : {}),
    stack,
    ...(cause === undefined || depth >= 3 ? {} : { cause: describeError(cause, depth + 1) }),
  }
}

/** A log that says nothing, for tests. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
