/** Owns requests to services in the real world: what `fetch` gives, at a fifth of its cost. */
import type { Fetch } from '@quartet/kit/world'
import { Agent, type Dispatcher } from 'undici'
import { toResponse, type Answer } from './answer.ts'

/** Bytes of an answer that wait for whoever reads it; then the service waits too. */
const MAX_WAITING_BYTES = 64 * 1024

// What was idle for longer is closed: a replica that leaves waits for it.
const IDLE_MS = 1_000

/**
 * A `fetch` for whoever passes answers on: a body that is all here (text, bytes or none) out, an answer
 * in as it comes; connections are kept, nothing is followed, decoded or added. Rejects as `fetch` does,
 * or with the signal's reason. What came in one piece with its head is told in one piece: a stream of
 * it would cost more than all else. The rest is streamed, no faster than it is read.
 */
export function createStreamFetch(): Fetch {
  const agent = new Agent({ keepAliveMaxTimeout: IDLE_MS })
  return (url, { method = 'GET', headers, body, signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw signal.reason
      const pathAt = url.indexOf('/', url.indexOf('://') + 3)
      const request: Dispatcher.DispatchOptions = {
        origin: url.slice(0, pathAt),
        path: url.slice(pathAt),
        method,
        headers: headers as Record<string, string>,
        body: body as string | Uint8Array | null,
      }
      const exchange = new Exchange(signal ?? undefined, resolve, reject)
      agent.dispatch(request, exchange)
    })
}

type Controller = Dispatcher.DispatchController

/** One request and its answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (response: Response) => void
  readonly #reject: (error: unknown) => void
  #controller: Controller | undefined
  #status = 0
  #headers: Answer['headers'] = {}
  /** What came before the answer is told. */
  #chunks: Uint8Array<ArrayBuffer>[] = []
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined
  /** Nothing more comes, or is wanted. */
  #isOver = false

  constructor(
    signal: AbortSignal | undefined,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  #abort = (): void => {
    if (this.#controller === undefined) this.#reject(this.#signal?.reason)
    else if (!this.#isOver) this.#controller.abort(this.#signal?.reason as Error)
  }

  #end(): void {
    this.#isOver = true
    this.#signal?.removeEventListener('abort', this.#abort)
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller
    if (this.#signal?.aborted === true) controller.abort(this.#signal.reason as Error)
  }

  onResponseStart(_controller: Controller, status: number, headers: object): void {
    if (status < 200) return // tells of an answer to come (RFC 9110, 15.2)
    this.#status = status
    this.#headers = headers as Answer['headers']
    // By then everything is read that came in one piece with the head.
    queueMicrotask(() => this.#tell())
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#stream === undefined) this.#chunks.push(chunk as Uint8Array<ArrayBuffer>)
    else this.#pass(controller, this.#stream, chunk)
  }

  #pass(
    controller: Controller,
    stream: ReadableStreamDefaultController<Uint8Array>,
    chunk: Uint8Array,
  ) {
    stream.enqueue(chunk)
    if ((stream.desiredSize ?? 0) <= 0) controller.pause()
  }

  onResponseEnd(): void {
    this.#end()
    this.#stream?.close()
  }

  onResponseError(_controller: Controller | undefined, error: unknown): void {
    if (this.#isOver) return
    this.#end()
    this.#stream?.error(error)
    this.#reject(error)
  }

  #tell(): void {
    const [status, headers] = [this.#status, this.#headers]
    if (!this.#isOver) return this.#resolve(toResponse({ status, headers, body: this.#open() }))
    const [only] = this.#chunks
    const body = this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : (only ?? null)
    this.#resolve(toResponse({ status, headers, body }))
  }

  #open(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const size = { highWaterMark: MAX_WAITING_BYTES, size: (chunk: Uint8Array) => chunk.length }
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (stream) => {
          this.#stream = stream
          for (const chunk of this.#chunks.splice(0)) stream.enqueue(chunk)
        },
        pull: () => this.#controller?.resume(),
        cancel: (reason) => {
          if (this.#isOver) return
          this.#end()
          this.#controller?.abort(reason as Error)
        },
      },
      size,
    )
  }
}
