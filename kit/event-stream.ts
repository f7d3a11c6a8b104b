/** Owns Server-Sent Events: answers that last, and tell what happens as it happens (HTML Standard, 9.2). */
import { Problem } from './problem.ts'
import type { World } from './world.ts'

/** Something to tell. `id` comes back as Last-Event-ID when the client has to connect anew. */
export type StreamMessage = { id: string; event: string; data: string }

export type EventStream = {
  /** Tells a message when the client has taken what came before; false when the stream is over. */
  tell: (message: StreamMessage) => Promise<boolean>
  /** Calls `action` when the stream is over, whoever has ended it. */
  onOver: (action: () => void) => void
}

/** Tells all that is to be told: when it resolves the stream ends. */
export type Teller = (stream: EventStream) => Promise<void>

export type EventStreams = {
  /**
   * Answers with a stream for somebody. `begin` finds out what there is to tell; undefined: nothing any
   * more, which is a 204, and clients don't come again. A 503 or 429 problem when there are too many.
   */
  open: (
    request: Pick<Request, 'method'>,
    who: string,
    begin: () => Promise<Teller | undefined>,
  ) => Promise<Response>
  count: () => number
  /** Ends all streams, and each that is opened from now on at once: clients go on at another replica. */
  stop: () => void
}

/** Streams of a replica, and those of one person among them. */
const MAX_STREAMS = 1_000
const MAX_STREAMS_EACH = 20
/** A comment goes out this often, so that whoever stands between doesn't take the connection for dead. */
const KEEP_ALIVE_MS = 15_000
/** Then it ends, and whoever still listens comes again, with a token that is still good. */
const LIFE_MS = 5 * 60_000
/** Bytes that wait for a client that doesn't read. */
const MAX_WAITING_BYTES = 16 * 1024
/** When to come again, spread out: those of a replica that stops all come at once. */
const RETRY_MS = 1_000

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // Or nginx collects what it passes on.
  'x-accel-buffering': 'no',
}

/** What Last-Event-ID says, if anything. */
export const lastEventIdOf = ({ headers }: Pick<Request, 'headers'>): string | undefined =>
  headers.get('last-event-id') || undefined

type StreamWorld = Pick<World<unknown>, 'timers' | 'random' | 'log'>

/** The streams of one replica. */
export function createEventStreams(world: StreamWorld): EventStreams {
  const places = createPlaces()
  const open = new Set<OpenStream>()
  let isStopped = false

  function start(teller: Teller, leave: () => void): Response {
    const stream = openStream(world)
    open.add(stream)
    stream.onOver(() => {
      open.delete(stream)
      leave()
    })
    if (isStopped) stream.end()
    void teller(stream)
      // The client comes again, and is told the rest then.
      .catch((error: unknown) => world.log.warn({ error }, 'a stream of events broke off'))
      .finally(stream.end)
    return new Response(stream.body, { headers: HEADERS })
  }

  return {
    count: places.count,
    async open({ method }, who, begin) {
      if (method === 'HEAD') return new Response(null, { headers: HEADERS })
      if (isStopped)
        return start(
          () => Promise.resolve(),
          () => {},
        )
      const leave = places.take(who)
      try {
        const teller = await begin()
        if (teller !== undefined) return start(teller, leave)
      } catch (error) {
        leave()
        throw error
      }
      leave()
      return new Response(null, { status: 204, headers: { 'cache-control': 'no-store' } })
    },
    stop() {
      isStopped = true
      for (const { end } of open) end()
    },
  }
}

function createPlaces() {
  const taken = new Map<string, number>()
  let count = 0
  return {
    count: () => count,
    take(who: string): () => void {
      const own = taken.get(who) ?? 0
      if (own >= MAX_STREAMS_EACH)
        throw tooMany('too_many_requests', 'You have too many streams open')
      if (count >= MAX_STREAMS) throw tooMany('unavailable', 'Too many streams are open')
      count += 1
      taken.set(who, own + 1)
      return () => {
        count -= 1
        const left = (taken.get(who) ?? 1) - 1
        if (left === 0) taken.delete(who)
        else taken.set(who, left)
      }
    },
  }
}

const tooMany = (kind: 'too_many_requests' | 'unavailable', title: string) =>
  new Problem(kind, title, {
    code: 'too_many_streams',
    detail: 'Close one, or come again later; what is streamed can be read as it is now, too.',
    retryAfterS: 10,
  })

type OpenStream = EventStream & { body: ReadableStream<Uint8Array<ArrayBuffer>>; end: () => void }

/** One stream: what is written waits for the client, up to a limit, and ends with it. */
function openStream({ timers, random }: StreamWorld): OpenStream {
  const text = new TextEncoder()
  const actions: (() => void)[] = []
  let isOver = false
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined
  let makeRoom = () => {}

  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start: (started) => void (controller = started),
      pull: () => makeRoom(),
      cancel: () => over(),
    },
    { highWaterMark: MAX_WAITING_BYTES, size: (chunk) => chunk.byteLength },
  )
  const hasRoom = () => (controller?.desiredSize ?? 0) > 0
  const write = (words: string) => controller?.enqueue(text.encode(words))

  function over(): void {
    if (isOver) return
    isOver = true
    for (const action of actions) action()
    makeRoom()
  }

  function end(): void {
    if (isOver) return
    controller?.close()
    over()
  }

  function keepAlive(): void {
    const cancel = timers.after(KEEP_ALIVE_MS, () => {
      if (hasRoom()) write(':\n\n')
      keepAlive()
    })
    stopKeepingAlive = cancel
  }

  let stopKeepingAlive = () => {}
  actions.push(() => stopKeepingAlive(), timers.after(LIFE_MS, end))
  write(`retry: ${Math.round(RETRY_MS * (0.5 + random.fraction()))}\n\n`)
  keepAlive()
  return {
    body,
    end,
    onOver: (action) => void (isOver ? action() : actions.push(action)),
    async tell(message) {
      while (!isOver && !hasRoom()) await new Promise<void>((resolve) => (makeRoom = resolve))
      if (!isOver) write(toText(message))
      return !isOver
    },
  }
}

function toText({ id, event, data }: StreamMessage): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}`)
  return `id: ${id}\nevent: ${event}\n${lines.join('\n')}\n\n`
}
