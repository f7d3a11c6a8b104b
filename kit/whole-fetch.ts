/** Owns requests to peers: what `fetch` gives, without its streams. */
import { Agent, type Dispatcher } from 'undici'
import type { Fetch } from './world.ts'

/** Far above any answer of a peer: 1,000 outcomes with 100 lines each. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

// What was idle for longer is closed: a replica that leaves waits for it.
const IDLE_MS = 1_000

/** An answer that is here as a whole; reading it as text or JSON waits for nothing. */
class WholeResponse extends Response {
  readonly #text: string

  constructor(text: string, init: ResponseInit) {
    super(text, init)
    this.#text = text
  }

  override text = () => Promise.resolve(this.#text)
  override json = async (): Promise<unknown> => JSON.parse(this.#text)
}

/**
 * A `fetch` for services that call each other: text or nothing in, an answer of at most 64 MiB out,
 * read as a whole; connections are kept. Rejects as `fetch` does, or with the signal's reason. What
 * fetch does beside (streams, redirects, cookies, caches) costs more than all else in a small command.
 */
export function createWholeFetch(): Fetch {
  const agent = new Agent({ keepAliveMaxTimeout: IDLE_MS })
  return (url, { method = 'GET', headers, body, signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw signal.reason
      const pathAt = url.indexOf('/', url.indexOf('://') + 3)
      const request = {
        origin: url.slice(0, pathAt),
        path: url.slice(pathAt),
        method,
        headers: headers as Record<string, string>,
        body: body as string,
      }
      agent.dispatch(request, toHandler(signal ?? undefined, resolve, reject))
    })
}

function toHandler(
  signal: AbortSignal | undefined,
  resolve: (response: Response) => void,
  reject: (error: unknown) => void,
): Dispatcher.DispatchHandler {
  const chunks: Buffer[] = []
  let size = 0
  let status = 0
  let headers: Record<string, string> = {}
  // Until it is sent there is nothing to cut off.
  let abort = () => reject(signal?.reason)
  const onAbort = () => abort()
  signal?.addEventListener('abort', onAbort, { once: true })
  return {
    onRequestStart(controller) {
      abort = () => controller.abort(signal?.reason as Error)
      if (signal?.aborted === true) abort()
    },
    onResponseStart(_controller, statusCode, answered) {
      if (statusCode < 200) return // tells of an answer to come (RFC 9110, 15.2)
      status = statusCode
      headers = answered as Record<string, string>
    },
    onResponseData(controller, chunk) {
      size += chunk.length
      if (size > MAX_ANSWER_BYTES) controller.abort(new Error('the answer is too large'))
      else chunks.push(chunk)
    },
    onResponseEnd() {
      signal?.removeEventListener('abort', onAbort)
      const [only] = chunks
      const whole = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
      resolve(new WholeResponse(whole.toString(), { status, headers }))
    },
    onResponseError(_controller, error) {
      signal?.removeEventListener('abort', onAbort)
      reject(error)
    },
  }
}
