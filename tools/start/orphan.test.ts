/** Proves that a process whose supervisor is gone ends by itself, also while it has not begun to serve. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { freePort } from '../ports.ts'

const CHECKOUT = resolve(import.meta.dirname, '../..')
const ENDS_WITHIN_MS = 5_000

const folder = mkdtempSync(join(tmpdir(), 'quartet-orphan-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A service that waits for a database which is not there: with its supervisor PostgreSQL has gone too. */
async function startWaiting() {
  const secret = join(folder, 'secret')
  writeFileSync(secret, Buffer.alloc(32, 7).toString('base64url'))
  const child = spawn(process.execPath, [join(CHECKOUT, 'services/users/src/main.ts')], {
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      DATABASE_URL: `postgres://nobody@127.0.0.1:${await freePort()}/nothing`,
      KEY_ENCRYPTION_SECRET_FILE: secret,
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  return child
}

test('a service that still waits for its database ends when its supervisor is gone', async () => {
  const child = await startWaiting()
  assert.ok(child.stdout !== null)
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes('cannot be brought up to date yet')) break
    }
    child.disconnect()
    const signal = AbortSignal.timeout(ENDS_WITHIN_MS)
    const [code] = (await once(child, 'exit', { signal })) as [number | null]
    assert.equal(code, 0)
  } finally {
    child.kill('SIGKILL')
  }
})

test('so does one whose supervisor went while it was being loaded', async () => {
  const child = await startWaiting()
  try {
    child.disconnect()
    const signal = AbortSignal.timeout(ENDS_WITHIN_MS)
    await once(child, 'exit', { signal })
  } finally {
    child.kill('SIGKILL')
  }
})
