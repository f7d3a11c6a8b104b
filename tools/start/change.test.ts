/** Proves that what cannot be changed is refused in a sentence, with exit code 1. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { text } from 'node:stream/consumers'

let dataDir = ''
before(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'quartet-change-'))
})
after(() => rmSync(dataDir, { recursive: true, force: true }))

/** The exit code, and what a person reads. */
async function run(...args: string[]): Promise<{ code: unknown; said: string }> {
  const script = join(import.meta.dirname, 'change.ts')
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  return { code, said }
}

test('a wrong name, number or option is told with how it is used, and no shop with where it was looked for', async () => {
  const refusals: [string[], RegExp][] = [
    [['restart', 'nosuch'], /nosuch: one of users, products, orders, payments, gateway, please/],
    [['restart', 'provider'], /provider: one of/],
    [['restart', '--bogus'], /Unknown option '--bogus'[^]*npm run restart/],
    [['scale'], /How many of what\?/],
    [['scale', 'orders=9'], /"orders=9" is not a number of replicas[^]*1 to 8/],
    [['restart', '--data', dataDir], /not running on .*quartet-change-.*"npm start" starts it/],
  ]
  const answers = await Promise.all(refusals.map(([args]) => run(...args)))
  for (const [index, { code, said }] of answers.entries()) {
    const [args, pattern] = refusals[index] ?? [[], /^$/]
    assert.equal(code, 1, args.join(' '))
    assert.match(said, pattern)
    assert.doesNotMatch(said, /^ +at /m, 'no stack')
  }
})
