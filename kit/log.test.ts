/** Proves that the log names its fields and carries no row, secret or whole request. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

/** What a log writes to standard output, one parsed line per call. */
function linesOf(script: string): Record<string, unknown>[] {
  const source = `import { createLog } from ${JSON.stringify(new URL('./log.ts', import.meta.url).href)}
    const log = createLog('things', 'info')
    ${script}`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', source]).toString()
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('an error is told by its type, message, code, stack and cause, never by PostgreSQL’s row', () => {
  const [line] = linesOf(`
    const row = new Error('duplicate key value')
    Object.assign(row, { code: '23505', constraint: 'users_email', detail: 'Key (email)=(a@b.example)', where: 'a@b.example' })
    log.warn({ error: new Error('not stored', { cause: row }) }, 'failed')`)
  const error = JSON.stringify(line?.['error'])
  assert.match(error, /"type":"Error","message":"not stored","stack":/)
  assert.match(error, /"code":"23505","constraint":"users_email"/)
  assert.doesNotMatch(JSON.stringify(line), /b\.example/)
  assert.equal(line?.['msg'], 'failed')
  assert.equal(line['service'], 'things')
})

test('fields that could carry a secret are masked, and levels below the set one are silent', () => {
  const lines = linesOf(`
    log.debug({}, 'quiet')
    log.info({ password: 'hidden', token: 'hidden', authorization: 'hidden', id: 'shown' }, 'in')
    log.error({ error: 'a text' }, 'odd')`)
  assert.equal(lines.length, 2)
  assert.doesNotMatch(JSON.stringify(lines), /hidden/)
  assert.equal(lines[0]?.['id'], 'shown')
  assert.equal(lines[1]?.['error'], 'a text')
})
