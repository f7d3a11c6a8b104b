/** Owns how a private key is sealed at rest: AES-256-GCM, bound to its key id. */
import { createCipheriv, createDecipheriv } from 'node:crypto'

const ALGORITHM = 'aes-256-gcm'
/** Bytes of a nonce (NIST SP 800-38D, 8.2.2: random, never used twice with one secret). */
export const NONCE_BYTES = 12
const TAG_BYTES = 16

export type Seal = { secret: Uint8Array; kid: string }

/** `nonce`, tag and ciphertext as base64url. */
export function seal(plaintext: string, { secret, kid }: Seal, nonce: Uint8Array): string {
  const cipher = createCipheriv(ALGORITHM, secret, nonce)
  cipher.setAAD(Buffer.from(kid))
  const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString('base64url')
}

/** The text that was sealed; throws when the secret or the key id is another, or a bit was changed. */
export function unseal(sealed: string, { secret, kid }: Seal): string {
  const bytes = Buffer.from(sealed, 'base64url')
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv(ALGORITHM, secret, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(kid))
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  const ciphertext = bytes.subarray(NONCE_BYTES + TAG_BYTES)
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8')
}
