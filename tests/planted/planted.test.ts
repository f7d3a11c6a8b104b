/** Proves that each planted bug is caught: put into a copy of the code, it makes a test red that is green without it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { after, test } from 'node:test'
import { copyCheckout, type CheckoutCopy } from '../checkout-copy.ts'
import { BUGS, type Edit } from './bugs.ts'
import { DETECTORS, type Detector } from './detectors.ts'

const clean = copyCheckout()
const bugged = copyCheckout()
after(() => {
  clean.close()
  bugged.close()
})

test('every planted bug has a detector, and there is none for any other', () => {
  assert.deepEqual(Object.keys(DETECTORS).toSorted(), BUGS.map(({ name }) => name).toSorted())
})

const RUN_TIMEOUT_MS = 60_000
const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

/** Runs one test of a copy; gives what the runner told, in the Test Anything Protocol. */
function run({ folder }: CheckoutCopy, detector: Detector): Promise<string> {
  // A runner that finds itself within a test would not run.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const pattern = `^${escaped(detector.test)}$`
  const args = ['--test', '--test-reporter=tap', `--test-name-pattern=${pattern}`]
  const child = spawn(process.execPath, [...args, path.join(folder, detector.file)], {
    cwd: folder,
    env,
    timeout: RUN_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (told += text))
  return new Promise((resolve) => child.once('close', () => resolve(told)))
}

/** How the test itself ended; undefined where it did not run, as when its file cannot be read. */
function verdictOf(told: string, { test: title }: Detector): 'green' | 'red' | undefined {
  const line = new RegExp(`^ *(not )?ok \\d+ - ${escaped(title.replace(/[\\#]/g, '\\$&'))}$`, 'm')
  const found = line.exec(told)
  if (found === null) return undefined
  if (found[1] === undefined) return 'green'
  // By an assertion, or by a property that fast-check has refuted: not since it took too long, nor
  // since what it stands on did not start.
  return /ERR_ASSERTION|Property failed/.test(told) ? 'red' : undefined
}

function plant(edits: Edit[]): () => void {
  const kept = new Map(edits.map(({ file }) => [file, bugged.read(file)]))
  for (const { file, find, replace } of edits) {
    bugged.write(
      file,
      bugged.read(file).replace(find, () => replace),
    )
  }
  return () => {
    for (const [file, text] of kept) bugged.write(file, text)
  }
}

const controls = new Map<string, Promise<string>>()

for (const { name, rule, edits } of BUGS) {
  test(`planted, against rule ${rule}: ${name}`, async () => {
    const detector = DETECTORS[name]
    assert.ok(detector !== undefined)
    const id = `${detector.file} ${detector.test}`
    const control = controls.get(id) ?? run(clean, detector)
    controls.set(id, control)
    const restore = plant(edits)
    try {
      const told = await run(bugged, detector)
      assert.equal(verdictOf(told, detector), 'red', told)
      const without = await control
      assert.equal(verdictOf(without, detector), 'green', without)
    } finally {
      restore()
    }
  })
}
