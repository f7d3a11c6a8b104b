/** Owns where a challenge page may send its customer: to the shops of this processor, and nowhere else. */

const MAX_LENGTH = 2_000

/**
 * `return_to` of a challenge page's address, if it is an absolute URL of one of these origins; else
 * undefined, as if it were absent. As the browser parses it, so that no way of writing it leads elsewhere.
 */
export function toReturn(text: string | undefined, origins: string[]): URL | undefined {
  if (text === undefined || text.length > MAX_LENGTH) return undefined
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return undefined
  if (!/^https?:$/.test(url.protocol)) return undefined // the origin of a blob: is that of its maker
  return origins.includes(url.origin) ? url : undefined
}
