/** Proves that a copy of this repository runs its own code and not ours, on the packages that are installed here. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, test } from 'node:test'
import { copyCheckout, git, requireInstalled } from './checkout-copy.ts'

const CHECKOUT = path.resolve(import.meta.dirname, '..')
const copy = copyCheckout()
after(() => copy.close())

// A test that runs tests is not one of theirs.
const { NODE_TEST_CONTEXT: _, ...ENV } = process.env

function runIn(folder: string, ...args: string[]) {
  const options = { cwd: folder, env: ENV, encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options)
  return { status, output: stdout + stderr }
}

function change(file: string, from: string, to: string): () => void {
  const before = copy.read(file)
  assert.ok(before.includes(from), `${file} has ${from}`)
  copy.write(file, before.replace(from, to))
  return () => copy.write(file, before)
}

test("a service of the copy stands on the copy's kit; ours is as it was", () => {
  const restore = change(
    'kit/run-service.ts',
    'process.stderr.write(`${error.message}\\n`)',
    "process.stderr.write('said by the copy')",
  )
  const main = 'services/users/src/main.ts'
  assert.match(runIn(copy.folder, main).output, /said by the copy/)
  const { output } = runIn(CHECKOUT, main)
  assert.match(output, /DATABASE_URL/)
  assert.doesNotMatch(output, /said by the copy/)
  restore()
  assert.match(runIn(copy.folder, main).output, /DATABASE_URL/)
})

test('its tests run, on a PostgreSQL too, and fail where the copy is broken', () => {
  const file = 'kit/migrate.test.ts'
  const whole = runIn(copy.folder, '--test', file)
  assert.equal(whole.status, 0, whole.output)
  assert.match(whole.output, /pass [1-9]/)
  const restore = change('kit/migrate.ts', "await client.query('commit')", '')
  const broken = runIn(copy.folder, '--test', file)
  restore()
  assert.equal(broken.status, 1)
  assert.match(broken.output, /files run once/)
})

test('it has what git knows of the working tree, or of a commit, and nothing else', () => {
  const here = 'tests/checkout-copy.test.ts'
  assert.equal(copy.read(here), readFileSync(path.join(CHECKOUT, here), 'utf8'))
  assert.ok(!existsSync(path.join(copy.folder, '.git')))
  const head = copyCheckout({ commit: 'HEAD' })
  try {
    assert.equal(head.read('package.json'), git('show', 'HEAD:package.json').toString())
    head.write('package.json', '{}')
  } finally {
    head.close()
  }
  assert.ok(!existsSync(head.folder))
  assert.throws(() => copyCheckout({ commit: 'no-such-commit' }), /git archive.*no-such-commit/)
})

test('a package that is not installed here in the version that the copy wants is told in a sentence', () => {
  requireInstalled(copy.folder)
  const restore = change('kit/package.json', '"pg": "', '"pg": "0.0.')
  try {
    assert.throws(
      () => requireInstalled(copy.folder),
      /@quartet\/kit wants pg 0\.0\.8.*, and 8\S+ is installed here\./,
    )
  } finally {
    restore()
  }
})
