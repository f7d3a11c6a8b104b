/** Owns the proof that wrong settings are named, and never shown. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readConfig } from './config.ts'

const folder = mkdtempSync(join(tmpdir(), 'users-config-'))
after(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const env = {
  DATABASE_URL: 'postgres://users@localhost/users',
  KEY_ENCRYPTION_SECRET_FILE: file('secret', Buffer.alloc(32, 5).toString('base64url')),
}

test('the least that is needed: a database and a secret', () => {
  const config = readConfig(env)
  assert.equal(config.PORT, 5000)
  assert.equal(config.ACCESS_TOKEN_TTL_S, 900)
  assert.equal(config.HASH_CONCURRENCY, 1)
  assert.deepEqual(Buffer.from(config.KEY_ENCRYPTION_SECRET_FILE), Buffer.alloc(32, 5))
  assert.ok(Object.isFrozen(config))
})

test('a secret of the wrong size, a short password and an admin without one are named, not shown', () => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ KEY_ENCRYPTION_SECRET_FILE: file('short', 'c2hvcnQ') }, /KEY_ENCRYPTION_SECRET_FILE: /],
    [{ BOOTSTRAP_ADMIN_EMAIL: 'a@b.example' }, /BOOTSTRAP_ADMIN_PASSWORD_FILE: is needed/],
    [
      {
        BOOTSTRAP_ADMIN_EMAIL: 'a@b.example',
        BOOTSTRAP_ADMIN_PASSWORD_FILE: file('password', 'hush'),
      },
      /BOOTSTRAP_ADMIN_PASSWORD_FILE: /,
    ],
    // Others remember who was erased for as long as a token may live, and no longer.
    [{ ACCESS_TOKEN_TTL_S: '3601' }, /ACCESS_TOKEN_TTL_S: /],
    [{ BOOTSTRAP_ADMIN_EMAIL: 'nobody' }, /BOOTSTRAP_ADMIN_EMAIL: must be an e-mail address/],
  ]
  for (const [changes, message] of wrong) {
    assert.throws(
      () => readConfig({ ...env, ...changes }),
      (error: Error) => message.test(error.message) && !/hush|c2hvcnQ/.test(error.message),
    )
  }
})
