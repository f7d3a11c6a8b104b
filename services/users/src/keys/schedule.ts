/** Owns when a signing key is made, signs, is published and is withdrawn: pure. */

export type KeyTimes = {
  kid: string
  /** Signs from then until its successor does. */
  signsFromMs: number
}

export type Rotation = { rotationMs: number; accessTtlMs: number }

/** A key is published this long before it signs, so that every verifier knows it by then. */
export const LEAD_MS = 10 * 60_000
// Replicas' clocks may differ, and one that reads late may sign with the old key a little longer.
const MARGIN_MS = 5 * 60_000

const byTime = (a: KeyTimes, b: KeyTimes) => a.signsFromMs - b.signsFromMs

/** The key that signs now: the newest whose time has come. */
export function signingKey<Key extends KeyTimes>(keys: Key[], nowMs: number): Key | undefined {
  const sorted = keys.toSorted(byTime)
  // A key that a faster clock made just now has not come yet; with no other it signs all the same.
  return sorted.findLast(({ signsFromMs }) => signsFromMs <= nowMs) ?? sorted[0]
}

/** Keys of which every token has expired: their successor has signed for longer than a token lives. */
export function withdrawnKeys<Key extends KeyTimes>(
  keys: Key[],
  nowMs: number,
  { accessTtlMs }: Rotation,
): Key[] {
  const sorted = keys.toSorted(byTime)
  return sorted.filter((_key, index) => {
    const successor = sorted[index + 1]
    return successor !== undefined && successor.signsFromMs + accessTtlMs + MARGIN_MS < nowMs
  })
}

/** When a new key that should be made now begins to sign; undefined when none is due. */
export function dueKey(keys: KeyTimes[], nowMs: number, { rotationMs }: Rotation) {
  const newest = keys.toSorted(byTime).at(-1)
  if (newest === undefined) return nowMs
  const endMs = newest.signsFromMs + rotationMs
  return nowMs < endMs - LEAD_MS ? undefined : Math.max(endMs, nowMs + LEAD_MS)
}
