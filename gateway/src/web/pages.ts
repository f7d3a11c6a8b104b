/** Owns serving the web root: which file a request gets, in which form, and for how long it may be kept. */
import { parseAccept } from 'hono/utils/accept'
import type { Answer } from '../answer.ts'
import { INDEX, type Form, type WebFile, type WebRoot } from './web-root.ts'

/** The answer of the web root; undefined where somebody else answers, or nobody. */
export type WebPages = (request: Request, url: URL) => Answer | undefined

/** First steps of paths that are the gateway's own, whatever stands in the web root. */
const OWN = new Set(['browser', 'health', 'metrics'])
/** Names here change with what is in them. */
const ASSETS = '/assets/'

/**
 * Serves what was read at start. Any path that is no file is the page of the application, which knows
 * its own paths, for whoever asks for a page by name: what only takes anything, such as an image that
 * is not there, or curl with a wrong path, is told that there is nothing.
 */
export function createWebPages(root: WebRoot): WebPages {
  const index = root.get(INDEX)
  return ({ method, headers }, { pathname }) => {
    if (method !== 'GET' && method !== 'HEAD') return undefined
    if (OWN.has(pathname.split('/', 2)[1] ?? '')) return undefined
    const file = root.get(pathname)
    if (file !== undefined) return answerOf(file, method, headers, lifeOf(pathname, file), [])
    const isPage = pathname === '/' ? !wantsData(headers) : wantsPage(headers)
    if (index === undefined || !isPage || pathname.startsWith(ASSETS)) return undefined
    return answerOf(index, method, headers, 'no-cache', ['accept'])
  }
}

// A page is asked for again each time (and not sent again when it is the same): it names the assets.
function lifeOf(pathname: string, { type }: WebFile): string {
  if (pathname.startsWith(ASSETS)) return 'public, max-age=31536000, immutable'
  return type.startsWith('text/html') ? 'no-cache' : 'public, max-age=3600'
}

function answerOf(
  file: WebFile,
  method: string,
  headers: Headers,
  cacheControl: string,
  vary: string[],
): Answer {
  const { encoding, etag, body } = chooseForm(file, headers.get('accept-encoding') ?? '')
  const varies = file.forms.length > 1 ? [...vary, 'accept-encoding'] : vary
  const said: Answer['headers'] = { etag, 'cache-control': cacheControl }
  if (varies.length > 0) said['vary'] = varies.join(', ')
  if (isKnown(etag, headers.get('if-none-match'))) return { status: 304, headers: said, body: null }
  said['content-type'] = file.type
  said['content-length'] = String(body.length)
  if (encoding !== undefined) said['content-encoding'] = encoding
  return { status: 200, headers: said, body: method === 'HEAD' ? null : body }
}

// RFC 9110, 12.5.3: a coding that is not named has the weight of `*`; none at all takes it as it is.
function chooseForm({ forms }: WebFile, accepted: string): Form {
  const codings = parseAccept(accepted.toLowerCase())
  const weight = (coding: string) =>
    (codings.find(({ type }) => type === coding) ?? codings.find(({ type }) => type === '*'))?.q ??
    0
  const form = forms.find(({ encoding }) => encoding === undefined || weight(encoding) > 0)
  if (form === undefined) throw new Error('a file has no form without an encoding')
  return form
}

// RFC 9110, 13.1.2: by the weak comparison.
function isKnown(etag: string, ifNoneMatch: string | null): boolean {
  const known = (ifNoneMatch ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''))
  return known.some((each) => each === etag || each === '*')
}

const names = (headers: Headers, wanted: string) =>
  parseAccept((headers.get('accept') ?? '').toLowerCase()).some(
    ({ type, q }) => type === wanted && q > 0,
  )

const wantsPage = (headers: Headers) => names(headers, 'text/html')
const wantsData = (headers: Headers) => names(headers, 'application/json') && !wantsPage(headers)
