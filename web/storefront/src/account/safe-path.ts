/** Owns where a page may send its visitor on to: a path of this shop, never another site. */

export function safePath(path: string | null, otherwise: string): string {
  if (path === null || !/^\/(?![/\\])/.test(path)) return otherwise
  return path
}
