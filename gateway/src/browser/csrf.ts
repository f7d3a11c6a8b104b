/** Owns that another site cannot act with a browser's session. */
import { Problem } from '@quartet/kit/problem'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Throws a 403 problem unless an unsafe request comes from our own pages: by Fetch Metadata, or by its
 * Origin where a browser says nothing else (OWASP Cross-Site Request Forgery Prevention Cheat Sheet).
 * The cookies' SameSite=Strict is the other half.
 */
export function checkSameOrigin(request: Request, publicOrigin: string): void {
  if (SAFE.has(request.method)) return
  const site = request.headers.get('sec-fetch-site')
  if (site === 'same-origin') return
  const origin = request.headers.get('origin')
  const own = [publicOrigin, new URL(request.url).origin]
  if (site === null && origin !== null && own.includes(origin)) return
  throw new Problem('forbidden', 'Not from this site', {
    code: 'csrf_refused',
    detail:
      'A request with a browser session must come from the shop’s own pages. ' +
      'Other clients send a bearer token: POST /api/sessions.',
  })
}
