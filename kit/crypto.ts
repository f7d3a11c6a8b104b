/** Owns signing, verifying and hashing: asynchronous forms finish on real threads, so they belong to the world. */
import { argon2, createHash, randomBytes, timingSafeEqual } from 'node:crypto'
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
    sha256: (text) => createHash('sha256').update(text).digest(),
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
  const parts = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(phc)
  if (parts === null) return false
  const [, memory, passes, parallelism, nonce = '', tag = ''] = parts
  const expected = Buffer.from(tag, 'base64')
  const actual = await argon2Async('argon2id', {
    message: password,
    nonce: Buffer.from(nonce, 'base64'),
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    tagLength: expected.length,
  })
  return timingSafeEqual(actual, expected)
}

const unpadded = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replaceAll('=', '')
