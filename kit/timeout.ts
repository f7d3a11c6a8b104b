/** Owns the limit on waiting for somebody else: a signal for those who listen to it, a rejection for those who don't. */
import type { Timers } from './time.ts'

/**
 * Gives what `use` gives, or rejects after `timeoutMs` with an Error of name TimeoutError. The signal
 * aborts then too; a peer that is a function of this process may never look at it.
 */
export async function withTimeout<Result>(
  timers: Timers,
  timeoutMs: number,
  use: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController()
  const late = Promise.withResolvers<never>()
  const cancel = timers.after(timeoutMs, () => {
    const error = new Error(`no answer within ${timeoutMs} ms`)
    error.name = 'TimeoutError'
    late.reject(error)
    abort.abort(error)
  })
  try {
    return await Promise.race([use(abort.signal), late.promise])
  } finally {
    cancel()
  }
}

/** Gives what `work` gives, or rejects with the signal's reason as soon as it aborts. */
export function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
