/** Owns signing, verifying and hashing: asynchronous forms finish on real threads, so they belong to the world. */
import { argon2, createHmac, hash as digest, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import * as jose from 'jose'

export type Claims = jose.JWTPayload
export type PublicJwk = {
  kty: string
  crv: string
  x: string
  kid: string
  alg: string
  use: string
}
export type PrivateJwk = PublicJwk & { d: string }

export type VerifyOptions = { issuer: string; audience: string; typ: string; nowMs: number }

export type Crypto = {
  /** SHA-256 of UTF-8 text. */
  sha256: (text: string) => Uint8Array
  /** Whether `mac` is the HMAC-SHA256 (RFC 2104) of UTF-8 text; takes equally long wherever it differs. */
  isHmacSha256: (mac: Uint8Array, key: string, text: string) => boolean
  /** Signs `claims` as a compact JWS with EdDSA over Ed25519 (RFC 8037); header `typ` and the key's `kid`. */
  signJwt: (claims: Claims, key: PrivateJwk, typ: string) => Promise<string>
  /**
   * The claims of a token signed by `key`; throws when the signature, `alg`, `typ`, `iss`, `aud`
   * or `exp` is not as asked (RFC 8725).
   */
  verifyJwt: (token: string, key: PublicJwk, options: VerifyOptions) => Promise<Claims>
  /** `kid` of a token's header, unverified; undefined when it isn't an EdDSA token at all. */
  keyIdOf: (token: string) => string | undefined
  newSigningKey: () => Promise<PrivateJwk>
  /** Argon2id in PHC string format (RFC 9106). */
  hashPassword: (password: string) => Promise<string>
  /** False for a wrong password and for a hash that is not an argon2id PHC string. */
  verifyPassword: (password: string, phc: string) => Promise<boolean>
}

// OWASP's password storage cheat sheet: 19 MiB, 2 passes, 1 lane.
const ARGON2 = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const
const argon2Async = promisify(argon2)

/** The public half of a signing key, as it stands in a key set (RFC 7517). */
export function publicHalf({ d: _private, ...rest }: PrivateJwk): PublicJwk {
  return rest
}

/** The real thing: `node:crypto` and jose. */
export function createRealCrypto(): Crypto {
  const imported = new Map<string, Promise<CryptoKey | Uint8Array>>()
  // Importing a key costs more than a signature; key sets are small, so the map is too.
  const importKey = (jwk: PublicJwk) => {
    const name = JSON.stringify(jwk)
    let key = imported.get(name)
    if (key === undefined) {
      if (imported.size >= 100) imported.clear()
      key = jose.importJWK(jwk, 'EdDSA')
      imported.set(name, key)
    }
    return key
  }
  return {
    sha256: (text) => digest('sha256', text, 'buffer'),
    isHmacSha256(mac, key, text) {
      const right = createHmac('sha256', key).update(text).digest()
      return mac.length === right.length && timingSafeEqual(mac, right)
    },
    async signJwt(claims, key, typ) {
      const header = { alg: 'EdDSA', typ, kid: key.kid }
      return new jose.SignJWT(claims).setProtectedHeader(header).sign(await importKey(key))
    },
    async verifyJwt(token, key, { issuer, audience, typ, nowMs }) {
      const { payload } = await jose.jwtVerify(token, await importKey(key), {
        algorithms: ['EdDSA'],
        issuer,
        audience,
        typ,
        currentDate: new Date(nowMs),
        requiredClaims: ['exp', 'iat', 'sub'],
      })
      return payload
    },
    keyIdOf,
    newSigningKey,
    hashPassword,
    verifyPassword,
  }
}

function keyIdOf(token: string): string | undefined {
  try {
    const header = jose.decodeProtectedHeader(token)
    return header.alg === 'EdDSA' && typeof header.kid === 'string' ? header.kid : undefined
  } catch {
    return undefined
  }
}

async function newSigningKey(): Promise<PrivateJwk> {
  const { privateKey } = await jose.generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const { x, d } = await jose.exportJWK(privateKey)
  if (x === undefined || d === undefined) throw new Error('Ed25519 key without x or d')
  const kid = await jose.calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x }) // RFC 7638
  return { kty: 'OKP', crv: 'Ed25519', x, d, kid, alg: 'EdDSA', use: 'sig' }
}

async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(16)
  const tag = await argon2Async('argon2id', { message: password, nonce, ...ARGON2 })
  const { memory, passes, parallelism } = ARGON2
  const parameters = `m=${memory},t=${passes},p=${parallelism}`
  return `$argon2id$v=19$${parameters}$${unpadded(nonce)}$${unpadded(tag)}`
}

async function verifyPassword(password: string, phc: string): Promise<boolean> {
  const hash = parsePhc(phc)
  if (hash === undefined) return false
  const { tag, ...parameters } = hash
  const options = { message: password, tagLength: tag.length, ...parameters }
  return timingSafeEqual(await argon2Async('argon2id', options), tag)
}

// Seven digits of memory (KiB) are 10 GB, far more than any hash of ours asks for; what is past the
// limits of RFC 9106 (3.1) was not made by argon2id at all.
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{11,86})$/

function parsePhc(phc: string) {
  const [, memoryText, passesText, lanesText, nonceText = '', tagText = ''] = PHC.exec(phc) ?? []
  const [memory, passes, parallelism] = [memoryText, passesText, lanesText].map(Number)
  if (memory === undefined || passes === undefined || parallelism === undefined) return undefined
  const valid = parallelism >= 1 && passes >= 1 && memory >= 8 * parallelism
  const nonce = Buffer.from(nonceText, 'base64')
  const tag = Buffer.from(tagText, 'base64')
  return valid ? { memory, passes, parallelism, nonce, tag } : undefined
}

const unpadded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replaceAll('=', '')
