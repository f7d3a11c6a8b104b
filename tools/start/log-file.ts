/** Owns a process's log on disk: begun anew when it has grown large, and asked for its last error. */
import { existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { z } from 'zod'

const LARGEST_LOG_BYTES = 10_000_000
const TAIL_LENGTH = 20_000
const PINO_ERROR = 50

const logLine = z.object({
  level: z.number(),
  msg: z.string().optional(),
  error: z.object({ message: z.string() }).optional(),
})

/** Opens a log to append to; the caller closes it. One predecessor is kept. */
export function openLog(path: string): number {
  if (existsSync(path) && statSync(path).size > LARGEST_LOG_BYTES) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/** How long the log is now: where the lines of a process that starts now begin. */
export function logLength(path: string): number {
  return existsSync(path) ? statSync(path).size : 0
}

/** The last line after `from` that tells of an error: of the JSON log, or of an uncaught exception. */
export function lastError(path: string, from: number): string | undefined {
  if (!existsSync(path)) return undefined
  const written = readFileSync(path).subarray(from).toString('utf8').slice(-TAIL_LENGTH)
  return written
    .split('\n')
    .map(describeError)
    .findLast((line) => line !== undefined)
}

function describeError(line: string): string | undefined {
  if (/^\w*Error\b.*:|cannot start with/.test(line)) return line
  if (!line.startsWith('{')) return undefined
  try {
    const parsed = logLine.safeParse(JSON.parse(line))
    if (!parsed.success || parsed.data.level < PINO_ERROR) return undefined
    return [parsed.data.msg, parsed.data.error?.message].filter(Boolean).join(': ')
  } catch {
    return undefined // a line cut off by the process's death
  }
}
