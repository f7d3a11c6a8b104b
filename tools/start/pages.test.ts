/** Owns the proof that the shop's pages are built once, again when their sources change, and never in half. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { waitUntilGone } from '../processes.ts'
import { buildPages } from './pages.ts'

const folders: string[] = []
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })))

/** As Vite does: empties `dist`, takes its time, and writes what it was told. It counts its runs. */
const BUILDER = `
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
appendFileSync('../runs', 'x')
writeFileSync('../pid', String(process.pid))
rmSync('dist', { recursive: true, force: true })
mkdirSync('dist/assets', { recursive: true })
const page = readFileSync('src/page.html', 'utf8')
if (page.includes('broken')) throw new Error('page.html is broken')
if (page.includes('endless')) await setTimeout(600_000)
await setTimeout(200)
writeFileSync('dist/assets/app.js', 'shop('.repeat(1_000))
writeFileSync('dist/assets/small.css', 'a{}'.repeat(99))
writeFileSync('dist/index.html', page)
`

function openProject(page = '<title>Shop</title>') {
  const root = mkdtempSync(join(tmpdir(), 'quartet-pages-'))
  folders.push(root)
  const project = join(root, 'shop')
  const write = (name: string, text: string) => writeFileSync(join(project, name), text)
  mkdirSync(join(project, 'src'), { recursive: true })
  mkdirSync(join(project, 'node_modules'))
  write('package.json', '{ "private": true, "scripts": { "build": "node build.mjs" } }')
  write('build.mjs', BUILDER)
  write('src/page.html', page)
  const lockfile = join(root, 'package-lock.json')
  writeFileSync(lockfile, '{}')
  let said = 0
  const onBuild = () => (said += 1)
  return {
    dist: join(project, 'dist'),
    write,
    lock: (text: string) => writeFileSync(lockfile, text),
    runs: () => (existsSync(join(root, 'runs')) ? readFileSync(join(root, 'runs')).length : 0),
    said: () => said,
    pid: () => Number(readFileSync(join(root, 'pid'), 'utf8')),
    build: (signal?: AbortSignal) =>
      buildPages({ project, lockfile, cacheDir: join(root, 'cache'), onBuild, signal }),
  }
}

test('the first start builds, and says so; the second does not', async () => {
  const { build, dist, runs, said } = openProject()
  assert.deepEqual(await build(), { folder: dist })
  assert.deepEqual(await build(), { folder: dist })
  assert.deepEqual([runs(), said()], [1, 1])
  assert.equal(readFileSync(join(dist, 'index.html'), 'utf8'), '<title>Shop</title>')
})

test('it builds again when a source, the project or a package changed, and only then', async () => {
  const { build, write, lock, runs } = openProject()
  await build()
  const changes: [() => void, number][] = [
    [() => write('src/page.html', 'new'), 2],
    [() => write('src/more.css', ''), 3],
    [() => write('package.json', '{ "scripts": { "build": "node build.mjs " } }'), 4],
    [() => lock('{ "packages": {} }'), 5],
    [() => write('node_modules/x.js', 'not a source'), 5],
    [() => write('.DS_Store', 'not a source'), 5],
    [() => write('src/page.html', 'new'), 5],
  ]
  for (const [change, expected] of changes) {
    change()
    await build()
    assert.equal(runs(), expected)
  }
})

test('two starts at once build once', async () => {
  const { build, dist, runs } = openProject()
  assert.deepEqual(await Promise.all([build(), build()]), [{ folder: dist }, { folder: dist }])
  assert.equal(runs(), 1)
})

test('built text has its compressed forms beside it where they are smaller', async () => {
  const { build, dist } = openProject()
  await build()
  const read = (name: string) => readFileSync(join(dist, 'assets', name))
  const text = read('app.js')
  assert.deepEqual(brotliDecompressSync(read('app.js.br')), text)
  assert.deepEqual(gunzipSync(read('app.js.gz')), text)
  assert.ok(read('app.js.br').length < text.length / 10)
  assert.equal(existsSync(join(dist, 'assets/small.css.br')), false)
})

test('a build that fails gives the reason and no pages; the next start tries again', async () => {
  const { build, dist, write, runs } = openProject('broken')
  for (const run of [1, 2]) {
    const built = await build()
    assert.deepEqual([built.folder, runs()], [undefined, run])
    assert.match(built.reason ?? '', /page\.html is broken/)
    const logFile = 'logFile' in built ? built.logFile : undefined
    assert.match(readFileSync(logFile ?? '', 'utf8'), /page\.html is broken/)
  }
  write('src/page.html', 'mended')
  assert.deepEqual(await build(), { folder: dist })
})

test('of all that a builder says the reason is the line that tells what is wrong', async () => {
  const { build, write } = openProject()
  const said = [
    '✗ Build failed in 168ms\nerror during build:\nBuild failed with 1 error:\n\n\u001B[31m[plugin] \u001B[0mExpected a semicolon\n  src/main.tsx:2:7',
    'Error: Cannot find native binding.\n  at load (index.js:1:1)',
    'no such option',
  ]
  const reasons = []
  for (const text of said) {
    write('build.mjs', `console.log(${JSON.stringify(text)}); process.exit(1)`)
    reasons.push((await build()).reason)
  }
  assert.deepEqual(reasons, [
    '[plugin] Expected a semicolon',
    'Error: Cannot find native binding.',
    'no such option',
  ])
})

test('a build that breaks off leaves nothing that is taken for pages, and runs no further', async () => {
  const { build, dist, write, runs, pid } = openProject('endless')
  const abort = new AbortController()
  const built = build(abort.signal)
  while (!existsSync(join(dist, 'assets'))) await new Promise((done) => setTimeout(done, 20))
  abort.abort()
  assert.match((await built).reason ?? '', /given up/)
  assert.equal(await waitUntilGone(pid(), 5_000), true)
  assert.equal(existsSync(join(dist, 'index.html')), false)
  write('src/page.html', 'quick')
  assert.deepEqual(await build(), { folder: dist })
  assert.equal(runs(), 2)
})

test('without the project, or where it makes no page, there is a reason', async () => {
  const missing = { ...openProject(), project: '/nowhere' }
  const options = { project: missing.project, lockfile: '/nowhere', cacheDir: '/nowhere' }
  assert.match((await buildPages(options)).reason ?? '', /there is no \/nowhere/)
  const { build, write } = openProject()
  write('build.mjs', '')
  assert.match((await build()).reason ?? '', /made no index\.html/)
})
