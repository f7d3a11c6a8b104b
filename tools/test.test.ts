/** Owns the proof that `npm test` ends honestly: nothing run, failed or skipped unseen passes for success. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'quartet-runner-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

const cases: { title: string; code: string; exitCode: number; says: RegExp }[] = [
  {
    title: 'a run whose tests pass ends with 0, the counts last',
    code: "test('has a server', () => assert.match(process.env.QUARTET_TEST_DATABASE_URL, /^postgres/))",
    exitCode: 0,
    says: /✔ has a server[^]*tests 1[^]*fail 0[^]*duration_ms [\d.]+\n$/,
  },
  {
    title: 'a failing test fails the run',
    code: "test('is wrong', () => assert.equal(1, 2))",
    exitCode: 1,
    says: /✖ is wrong[^]*fail 1/,
  },
  {
    title: 'a skipped test without a reason fails the run',
    code: "test('runs', () => {}); test('is left out', { skip: true }, () => {})",
    exitCode: 1,
    says: /skipped: is left out — NOT ALLOWED/,
  },
  {
    title: 'a file without a test fails the run',
    code: '',
    exitCode: 1,
    says: /holds no test/,
  },
]

for (const { title, code, exitCode, says } of cases) {
  test(title, () => {
    const file = join(folder, 'a.test.ts')
    writeFileSync(
      file,
      `import { test } from 'node:test'\nimport assert from 'node:assert'\n${code}\n`,
    )
    const { status, output } = npmTest(file)
    assert.match(output, says)
    assert.equal(status, exitCode)
  })
}

test('a path without test files fails the run', () => {
  const empty = mkdtempSync(join(folder, 'empty-'))
  const { status, output } = npmTest(empty)
  assert.match(output, /No test file/)
  assert.equal(status, 1)
})

test('files of both lanes are counted together, and what fails in either is told at the end', () => {
  const file = join(folder, 'b.test.ts')
  writeFileSync(file, "import { test } from 'node:test'\ntest('is wrong', () => { throw 1 })\n")
  const { status, output } = npmTest(
    file,
    join(import.meta.dirname, '../tests/chaos/chance.test.ts'),
  )
  assert.match(output, /failing tests:[^]*is wrong[^]*tests [2-9]\n[^]*pass [1-8]\n[^]*fail 1\n/)
  assert.equal(status, 1)
})

function npmTest(...paths: string[]): { status: number | null; output: string } {
  // Node's runner refuses to run below itself: the inner one must not know of the outer one.
  const { NODE_TEST_CONTEXT: _outer, ...env } = process.env
  const run = spawnSync(process.execPath, [join(import.meta.dirname, 'test.ts'), ...paths], {
    env: { ...env, NO_COLOR: '1' },
    encoding: 'utf8',
  })
  return { status: run.status, output: run.stdout + run.stderr }
}
