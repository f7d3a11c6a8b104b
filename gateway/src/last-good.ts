/** Owns the last good copies of answers that a service lets be shown while it does not answer (RFC 5861, stale-if-error). */
import type { Clock } from '@quartet/kit/time'
import type { Answer } from './answer.ts'

/** An answer that was good, and since when and until when it may be shown. */
export type Copy = {
  headers: Answer['headers']
  body: Buffer<ArrayBuffer>
  atMs: number
  untilMs: number
}

export type LastGood = {
  /** The copy for a URL, if it may be shown still. */
  find: (url: string) => Copy | undefined
  /** Keeps a good answer where the service lets it, or forgets what it has replaced; gives the answer. */
  note: (url: string, answer: Answer) => Promise<Answer>
}

// What is looked at again and again stays; what is asked for once, with whatever query, goes.
const MAX_COPIES = 2_000
const MAX_COPY_BYTES = 64 * 1024
const MAX_URL_LENGTH = 1_000
/** What is said of the copy itself; the rest belongs to the answer that it was. */
const KEPT_HEADERS = ['content-type', 'etag', 'content-language', 'link']

/** `maxBytes` of bodies are kept; 0 for none. Each replica has its own. */
export function createLastGood({ clock }: { clock: Clock }, maxBytes: number): LastGood {
  const copies = new Map<string, Copy>() // the one that was used last is the last one
  let bytes = 0

  function forget(url: string): void {
    const copy = copies.get(url)
    if (copy === undefined) return
    copies.delete(url)
    bytes -= copy.body.byteLength
  }

  function keep(url: string, copy: Copy): void {
    forget(url)
    copies.set(url, copy)
    bytes += copy.body.byteLength
    for (const oldest of copies.keys()) {
      if (bytes <= maxBytes && copies.size <= MAX_COPIES) break
      forget(oldest)
    }
  }

  return {
    find(url) {
      const copy = copies.get(url)
      if (copy !== undefined && copy.untilMs > clock.now()) return copy
      forget(url)
      return undefined
    },
    async note(url, answer) {
      const known = copies.get(url)
      if (answer.status === 304 && known !== undefined) {
        const ageMs = clock.now() - known.atMs
        keep(url, { ...known, atMs: clock.now(), untilMs: known.untilMs + ageMs })
        return answer
      }
      const showableMs = maxBytes === 0 || url.length > MAX_URL_LENGTH ? 0 : showableMsOf(answer)
      const whole = showableMs === 0 ? answer : await inOnePiece(answer)
      const { headers, body } = whole
      const isKept = showableMs > 0 && body instanceof Uint8Array && isSmall(body.byteLength)
      if (isKept) {
        const atMs = clock.now()
        // As a rule it is what it was: to compare costs less than to copy. (A view of these bytes would
        // keep all that came with them.)
        const kept = known?.body.equals(body) === true ? known.body : Buffer.from(body)
        const times = { atMs, untilMs: atMs + showableMs }
        keep(url, { headers: ownHeaders(headers), body: kept, ...times })
      } else if (known !== undefined) {
        forget(url) // it is gone, or not for everybody any more
      }
      return whole
    },
  }
}

/** For how long an answer may be shown when there is none; 0 for one that may not. */
function showableMsOf({ status, headers }: Answer): number {
  const said = headers['cache-control']
  if (status !== 200 || typeof said !== 'string' || headers['set-cookie'] !== undefined) return 0
  // What was asked for with a token is everybody's only if it says so (RFC 9111, 3.5).
  if (!/(?:^|,) *public *(?:,|$)/.test(said)) return 0
  return Number(/(?:^|,) *stale-if-error=(\d{1,9}) *(?:,|$)/.exec(said)?.[1] ?? 0) * 1_000
}

const isSmall = (bytes: number) => bytes <= MAX_COPY_BYTES

/** What is small is read to its end; what is large, or of no known length, goes on as it comes. */
async function inOnePiece(answer: Answer): Promise<Answer> {
  const { headers, body } = answer
  if (!(body instanceof ReadableStream) || !isSmall(Number(headers['content-length'])))
    return answer
  return { ...answer, body: new Uint8Array(await new Response(body).arrayBuffer()) }
}

function ownHeaders(headers: Answer['headers']): Answer['headers'] {
  const kept = KEPT_HEADERS.filter((name) => headers[name] !== undefined)
  return Object.fromEntries(kept.map((name) => [name, headers[name] ?? '']))
}
