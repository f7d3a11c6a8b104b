/** Owns identifiers: a prefix and a time-ordered part, text of at most 64 characters. */
import type { Random } from './random.ts'
import type { Clock } from './time.ts'

export type Ids = {
  /** A new id such as `usr_01jd3w8h6sx2c9k5m7q0r4t8vz`: ids made later sort later (to the millisecond). */
  next: (prefix: string) => string
}

// Crockford's base 32, in lower case: no i, l, o, u. The layout is that of ULID
// (https://github.com/ulid/spec): 48 bits of milliseconds, 80 bits of randomness.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** Ids from the world's clock and randomness. */
export function createIds(clock: Clock, random: Random): Ids {
  return {
    next: (prefix) => `${prefix}_${encodeTime(clock.now())}${encodeRandom(random.bytes(16))}`,
  }
}

/** An id that the same key always gives again: what makes a retried creation find its own row. */
export function derivedId(prefix: string, digest: Uint8Array): string {
  return `${prefix}_${encodeRandom(digest.subarray(0, 26))}`
}

function encodeTime(ms: number): string {
  let text = ''
  for (let rest = ms, place = 0; place < 10; place += 1) {
    text = ALPHABET.charAt(rest % 32) + text
    rest = Math.floor(rest / 32)
  }
  return text
}

// Five of each byte's eight bits: wasteful of randomness, simple to read.
function encodeRandom(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += ALPHABET.charAt(byte % 32)
  return text
}
