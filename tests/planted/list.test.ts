/** Proves that the list of planted bugs fits the code as it is, and what is written of it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { BUGS } from './bugs.ts'
import { DETECTORS } from './detectors.ts'

const README = readFileSync(path.join(import.meta.dirname, 'README.md'), 'utf8')
const CHECKOUT = path.resolve(import.meta.dirname, '../..')

test('each planted bug has a name of its own, and each of its edits exactly one place in the code', () => {
  assert.equal(new Set(BUGS.map(({ name }) => name)).size, BUGS.length)
  for (const { name, edits } of BUGS) {
    for (const { file, find, replace } of edits) {
      const places = readFileSync(path.join(CHECKOUT, file), 'utf8').split(find).length - 1
      assert.equal(places, 1, `${name}: ${file}`)
      assert.notEqual(find, replace, name)
    }
  }
})

test('the README names every planted bug and what catches it, and no other', () => {
  const rows = BUGS.map(({ name, rule, loses }) => {
    const { file, test: title } = DETECTORS[name] ?? { file: '', test: '' }
    return `| ${name} | ${rule} | ${loses} | \`${file}\`: ${title} |`
  })
  assert.deepEqual(
    README.split('\n').filter((line) => /^\| .* \| \d+ \|/.test(line)),
    rows,
  )
})
