/** Proves password hashes and signatures: what is taken, and what never is (RFC 8725). */
import assert from 'node:assert/strict'
import { argon2Sync, createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { createRealCrypto, publicHalf, type Claims } from './crypto.ts'

const crypto = createRealCrypto()
const NOW_MS = Date.UTC(2030, 0, 1)
const NOW_S = NOW_MS / 1_000
const asked = { issuer: 'users', audience: 'quartet', typ: 'at+jwt', nowMs: NOW_MS }
const claims: Claims = {
  iss: 'users',
  aud: 'quartet',
  sub: 'usr_1',
  iat: NOW_S,
  exp: NOW_S + 900,
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a password is hashed as argon2id in PHC format, with a salt of its own', async () => {
  const hash = await crypto.hashPassword('correct horse')
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  assert.notEqual(hash, await crypto.hashPassword('correct horse'))
  assert.equal(await crypto.verifyPassword('correct horse', hash), true)
  assert.equal(await crypto.verifyPassword('correct horsf', hash), false)
  assert.equal(await crypto.verifyPassword('', hash), false)
})

test('a hash with other parameters, made elsewhere, is verified by its own', async () => {
  const nonce = Buffer.from('somesalt')
  const parameters = { memory: 64, passes: 3, parallelism: 2, tagLength: 16 }
  const tag = argon2Sync('argon2id', { message: 'password', nonce, ...parameters })
  const unpadded = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
  const hash = `$argon2id$v=19$m=64,t=3,p=2$${unpadded(nonce)}$${unpadded(tag)}`
  assert.equal(await crypto.verifyPassword('password', hash), true)
  assert.equal(await crypto.verifyPassword('Password', hash), false)
})

test('what is not an argon2id hash is false for every password, and throws nothing', async () => {
  const salt = 'c29tZXNhbHRzb21lc2FsdA'
  const tag = 'x'.repeat(43)
  const foreign = [
    '',
    'password',
    '$2b$12$C6UzMDM.H6dfI/f/IKcEeO7ZQZ5sTzX6T8QFhPq8sTzX6T8QFhPq8',
    `$argon2i$v=19$m=19456,t=2,p=1$${salt}$${tag}`,
    `$argon2id$v=16$m=19456,t=2,p=1$${salt}$${tag}`,
    `$argon2id$v=19$m=4,t=2,p=1$${salt}$${tag}`,
    `$argon2id$v=19$m=19456,t=0,p=1$${salt}$${tag}`,
    `$argon2id$v=19$m=19456,t=2,p=0$${salt}$${tag}`,
    `$argon2id$v=19$m=99999999999,t=2,p=1$${salt}$${tag}`,
    `$argon2id$v=19$m=19456,t=2,p=1$a$${tag}`,
    `$argon2id$v=19$m=19456,t=2,p=1$${salt}$`,
    `$argon2id$v=19$m=19456,t=2,p=1$${salt}$${tag}$more`,
  ]
  for (const hash of foreign)
    assert.equal(await crypto.verifyPassword('password', hash), false, hash)
})

test('a signed token is verified by the public half, which holds nothing private', async () => {
  const key = await crypto.newSigningKey()
  assert.deepEqual(Object.keys(publicHalf(key)).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  const token = await crypto.signJwt(claims, key, 'at+jwt')
  assert.equal(crypto.keyIdOf(token), key.kid)
  assert.deepEqual(await crypto.verifyJwt(token, publicHalf(key), asked), claims)
})

test('RFC 8725: a token is refused for its typ, issuer, audience, time and missing claims', async () => {
  const key = await crypto.newSigningKey()
  const { exp: _exp, ...endless } = claims
  const { sub: _sub, ...nobody } = claims
  const { aud: _aud, ...everywhere } = claims
  const refused: [string, Claims, string][] = [
    ['another typ', claims, 'service+jwt'],
    ['typ JWT', claims, 'JWT'],
    ['another issuer', { ...claims, iss: 'mallory' }, 'at+jwt'],
    ['another audience', { ...claims, aud: 'elsewhere' }, 'at+jwt'],
    ['no audience', everywhere, 'at+jwt'],
    ['expired this second', { ...claims, exp: NOW_S }, 'at+jwt'],
    ['not valid yet', { ...claims, nbf: NOW_S + 1 }, 'at+jwt'],
    ['no expiry', endless, 'at+jwt'],
    ['no subject', nobody, 'at+jwt'],
  ]
  for (const [what, told, typ] of refused) {
    const token = await crypto.signJwt(told, key, typ)
    await assert.rejects(crypto.verifyJwt(token, publicHalf(key), asked), what)
  }
})

test('RFC 8725: alg none, and HS256 with the public key as its secret, are refused', async () => {
  const key = await crypto.newSigningKey()
  const none = `${part({ alg: 'none', typ: 'at+jwt', kid: key.kid })}.${part(claims)}.`
  const hs256Input = `${part({ alg: 'HS256', typ: 'at+jwt', kid: key.kid })}.${part(claims)}`
  const secrets = [key.x, Buffer.from(key.x, 'base64url'), JSON.stringify(publicHalf(key))]
  const confused = secrets.map(
    (secret) =>
      `${hs256Input}.${createHmac('sha256', secret).update(hs256Input).digest('base64url')}`,
  )
  for (const token of [none, ...confused]) {
    assert.equal(crypto.keyIdOf(token), undefined)
    await assert.rejects(crypto.verifyJwt(token, publicHalf(key), asked))
  }
})

test('RFC 8725: a key that comes with the token (jku, jwk) is never used', async () => {
  const [key, attacker] = await Promise.all([crypto.newSigningKey(), crypto.newSigningKey()])
  const forged = await crypto.signJwt(claims, { ...attacker, kid: key.kid }, 'at+jwt')
  await assert.rejects(crypto.verifyJwt(forged, publicHalf(key), asked))
  const [, payload = '', signature = ''] = forged.split('.')
  const header = { alg: 'EdDSA', typ: 'at+jwt', kid: key.kid, jku: 'https://evil.example/keys' }
  for (const extra of [{}, { jwk: publicHalf(attacker) }, { crit: ['exp'] }]) {
    const token = `${part({ ...header, ...extra })}.${payload}.${signature}`
    await assert.rejects(crypto.verifyJwt(token, publicHalf(key), asked))
  }
})

test('a token that was changed anywhere is refused', async () => {
  const key = await crypto.newSigningKey()
  const token = await crypto.signJwt(claims, key, 'at+jwt')
  const [header = '', , signature = ''] = token.split('.')
  const admin = `${header}.${part({ ...claims, sub: 'usr_2' })}.${signature}`
  await assert.rejects(crypto.verifyJwt(admin, publicHalf(key), asked))
})

test('what is no token at all has no key id', () => {
  for (const token of [
    '',
    'a.b.c',
    '..',
    `${part({ alg: 'EdDSA' })}.e30.`,
    `${part(null)}.e30.x`,
  ]) {
    assert.equal(crypto.keyIdOf(token), undefined, token)
  }
})

test('sha256 is that of UTF-8 text', () => {
  const expected = createHash('sha256').update(Buffer.from('Ärmel', 'utf8')).digest('hex')
  assert.equal(Buffer.from(crypto.sha256('Ärmel')).toString('hex'), expected)
})

test('an HMAC is that of RFC 4231, and of nothing else', () => {
  // Test case 2.
  const text = 'what do ya want for nothing?'
  const mac = Buffer.from('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'hex')
  assert.equal(crypto.isHmacSha256(mac, 'Jefe', text), true)
  assert.equal(crypto.isHmacSha256(mac, 'jefe', text), false)
  assert.equal(crypto.isHmacSha256(mac, 'Jefe', `${text} `), false)
  const changed = Buffer.from(mac.with(31, 0))
  for (const other of [changed, mac.subarray(0, 31), Buffer.alloc(0), Buffer.concat([mac, mac])]) {
    assert.equal(crypto.isHmacSha256(other, 'Jefe', text), false)
  }
})
