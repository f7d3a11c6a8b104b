/** Owns whether what the catalog says just now is a copy that the gateway kept, because products does not answer. */
import { useSyncExternalStore } from 'react'

/** When the oldest copy that was shown last was what products said; undefined while products answers. */
let sinceMs: number | undefined
const listeners = new Set<() => void>()

const CATALOG = /^\/api\/(?:products|categories)\b/

/** Takes note of an answer: a copy says its age (RFC 9111, 5.1), and nothing else here does. */
export function noteCopy(path: string, { ok, headers }: Pick<Response, 'ok' | 'headers'>): void {
  if (!ok || !CATALOG.test(path)) return
  const age = headers.get('age')
  const isStale = headers.get('cache-status')?.includes('stale') === true
  const next = isStale ? Date.now() - Number(age) * 1_000 : undefined
  if ((next === undefined) === (sinceMs === undefined)) return
  sinceMs = next
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Since when the catalog is what it was; undefined while products answers. */
export const useKeptSinceMs = (): number | undefined =>
  useSyncExternalStore(subscribe, () => sinceMs)
