/** Owns `npm test`: one throw-away PostgreSQL for the run, every test file below the given paths, honest ends. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import type { Transform } from 'node:stream'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { z } from 'zod'
import { COMPILED } from './compiled.ts'
import { Explained, runProgram } from './explained.ts'
import { startTestPostgres } from './postgres/test-server.ts'

const CHECKOUT = resolve(import.meta.dirname, '..')
const ALLOWED_SKIPS = join(CHECKOUT, 'tests/allowed-skips.json')
const FILES_AT_ONCE = 2
// They load whole shops of processes, and two of them at once would drown a small machine: each runs
// beside files that don't.
const HEAVY = /^tests[/](chaos|e2e|nats|replicas|upgrades)[/][^/]+$/
// The longest take three minutes, and several times that on a machine that has more to do.
const TEST_TIMEOUT_MS = 900_000
// Node waits for ever for a file whose tests are done and which keeps a socket or a timer open. Longer
// than a test may be silent.
const SILENCE_MS = TEST_TIMEOUT_MS + 20_000

const allowedSkip = z.strictObject({ test: z.string().min(1), reason: z.string().min(1) })
type AllowedSkip = z.infer<typeof allowedSkip>

async function main(): Promise<void> {
  const files = process.argv.slice(2).flatMap((path) => testFilesBelow(resolve(path)))
  if (process.argv.length <= 2) files.push(...testFilesBelow(CHECKOUT))
  if (files.length === 0) throw new Explained('No test file (*.test.ts) is there to run.')
  const postgres = await startTestPostgres()
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => void postgres.stop().then(() => process.exit(code)))
  }
  Object.assign(process.env, COMPILED, { QUARTET_TEST_DATABASE_URL: postgres.url })
  try {
    await runFiles(files)
  } finally {
    await postgres.stop()
  }
}

function testFilesBelow(path: string): string[] {
  if (!existsSync(path)) throw new Explained(`There is no ${path} to test.`)
  if (statSync(path).isFile()) return [path]
  const exclude = ['**/node_modules/**', '**/.quartet/**']
  return globSync('**/*.test.ts', { cwd: path, exclude })
    .map((file) => join(path, file))
    .sort()
}

async function runFiles(files: string[]): Promise<void> {
  const allowed = readAllowedSkips()
  const counts = new Map<string, number>()
  const skips: string[] = []
  let failed = 0
  let ran = 0
  const hung = new AbortController()
  const giveUp = () => {
    console.log(`✖ nothing was reported for ${SILENCE_MS / 1000} s: a test file does not end`)
    failed += 1
    hung.abort()
  }
  let silence = setTimeout(giveUp, SILENCE_MS)
  const judge = (event: TestEvent) => {
    clearTimeout(silence)
    silence = setTimeout(giveUp, SILENCE_MS)
    if (event.type === 'test:fail' || isEmptyFile(event)) failed += 1
    if (event.type === 'test:pass' && isTest(event.data)) {
      const { skip, todo, name } = event.data
      if (skip === undefined && todo === undefined) ran += 1
      else skips.push(name)
    }
  }
  const lanes = lanesOf(files).map((lane) => runLane(lane, hung.signal, judge, counts))
  const reports = await Promise.all(lanes)
  clearTimeout(silence)
  // What failed stands at the end, whichever lane it was in.
  for (const report of reports) await new Promise<void>((done) => report.on('end', done).end())
  const refused = judgeSkips(skips, allowed)
  for (const [what, count] of counts) console.log(`ℹ ${what} ${count}`)
  if (ran === 0) throw new Explained('No test ran.')
  if (failed > 0 || refused > 0) process.exitCode = 1
}

type Lane = { files: string[]; concurrency: number }

function lanesOf(files: string[]): Lane[] {
  const isHeavy = (file: string) => HEAVY.test(relative(CHECKOUT, file))
  const heavy = { files: files.filter(isHeavy), concurrency: 1 }
  const light = { files: files.filter((file) => !isHeavy(file)), concurrency: FILES_AT_ONCE }
  if (heavy.files.length === 0) return [light]
  return light.files.length === 0 ? [heavy] : [heavy, { ...light, concurrency: FILES_AT_ONCE - 1 }]
}

/** Runs files and reports on them; gives the report, still open. What Node counts is added to `counts`. */
async function runLane(
  { files, concurrency }: Lane,
  signal: AbortSignal,
  judge: (event: TestEvent) => void,
  counts: Map<string, number>,
): Promise<Transform> {
  const report = new spec()
  report.pipe(process.stdout, { end: false })
  for await (const event of run({ files, concurrency, timeout: TEST_TIMEOUT_MS, signal })) {
    judge(event)
    if (event.type === 'test:diagnostic' && event.data.file === undefined)
      addCount(counts, event.data.message) // held back, so that the counts are what ends the output
    else report.write(event)
  }
  return report
}

/** Adds a line of Node's, such as `pass 12`. */
function addCount(counts: Map<string, number>, line: string): void {
  const [what = '', count] = line.split(' ')
  const before = counts.get(what) ?? 0
  const isTime = what === 'duration_ms'
  counts.set(what, isTime ? Math.max(before, Number(count)) : before + Number(count))
}

// A file is reported as passed on its own account only when it holds no test.
function isEmptyFile(event: TestEvent): boolean {
  const empty = event.type === 'test:pass' && event.data.name.endsWith('.test.ts')
  if (empty) console.log(`✖ ${event.data.name} holds no test`)
  return empty
}

// Suites and the files themselves are reported as passed too.
function isTest({
  details,
  name,
}: {
  details: { type?: string | undefined }
  name: string
}): boolean {
  return details.type !== 'suite' && !name.endsWith('.test.ts')
}

function readAllowedSkips(): AllowedSkip[] {
  if (!existsSync(ALLOWED_SKIPS)) return []
  return z.array(allowedSkip).parse(JSON.parse(readFileSync(ALLOWED_SKIPS, 'utf8')))
}

function judgeSkips(skips: string[], allowed: AllowedSkip[]): number {
  let refused = 0
  for (const name of skips) {
    const entry = allowed.find(({ test }) => name.startsWith(test))
    if (entry === undefined) refused += 1
    const verdict = entry?.reason ?? 'NOT ALLOWED: give its reason in tests/allowed-skips.json'
    console.log(`skipped: ${name} — ${verdict}`)
  }
  return refused
}

await runProgram(main)
