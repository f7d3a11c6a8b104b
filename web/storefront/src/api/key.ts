/** Owns making keys: what is sent under one takes effect once. */

/** 128 bits that nobody guesses. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
