/** Proves the web root: which file a request gets, how it is kept, and what cannot be reached by any path. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { listen } from '@quartet/kit/server'
import { readConfig } from '../config.ts'
import { config, openGateway } from '../gateway.fixture.ts'

const HTML = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }
const PAGE =
  '<!doctype html><title>Shop</title><script type="module" src="/assets/app-1a2b.js"></script>'
const SCRIPT = `console.log('shop')\n`.repeat(100)
const BUILT: Record<string, string | Buffer> = {
  'index.html': PAGE,
  'assets/app-1a2b.js': SCRIPT,
  'assets/app-1a2b.js.br': brotliCompressSync(SCRIPT),
  'assets/app-1a2b.js.gz': gzipSync(SCRIPT),
  'assets/shop-3c4d.css': 'body{}',
  'pictures/prd_walnut-desk.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  'fonts/a b+c@é.woff2': 'font',
  'health/live': 'not the gateway',
  'api/users': 'not the users',
  '.env': 'SECRET=1',
  '.git/config': 'secret',
  'assets/.hidden.js': 'secret',
}

const folders: string[] = []
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })))

function build(files: Record<string, string | Buffer> = BUILT): string {
  const folder = mkdtempSync(join(tmpdir(), 'quartet-web-'))
  folders.push(folder)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const openWeb = (folder = build(), publicUrl = 'http://shop.test') =>
  openGateway(
    {},
    {
      config: {
        ...config,
        PUBLIC_URL: publicUrl,
        WEB_ROOT: readConfig({ WEB_ROOT: folder }).WEB_ROOT,
      },
    },
  )

const read = async (response: Response) => [response.status, await response.text()]

async function assertNothing(response: Response, why: string) {
  const { headers } = response
  assert.equal(response.status, 404, why)
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/, why)
  assert.equal(headers.get('cache-control'), 'no-store', why)
  assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/, why)
  assert.doesNotMatch(await response.text(), /doctype|secret/i, why)
}

test('a browser gets the page at / and at every path of the application', async () => {
  const { ask } = openWeb()
  for (const path of [
    '/',
    '/products/prd_walnut-desk',
    '/search?q=desk',
    '/a.b/c.d',
    '/index.html',
  ]) {
    const response = await ask(path, { headers: HTML })
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8', path)
    assert.equal(response.headers.get('cache-control'), 'no-cache', path)
    assert.deepEqual(await read(response), [200, PAGE], path)
  }
  assert.deepEqual(await read(await ask('/')), [200, PAGE]) // whoever takes anything too
  assert.equal((await ask('/')).headers.get('vary'), 'accept')
})

test('whoever asks for data is told what is where, or that there is nothing', async () => {
  const { ask } = openWeb()
  const index = await ask('/', { headers: { accept: 'application/json' } })
  assert.equal(((await index.json()) as { name: string }).name, 'Quartet')
  for (const accept of ['*/*', 'application/json', 'image/avif,*/*;q=0.8', 'text/html;q=0', '']) {
    await assertNothing(await ask('/products/prd_1', { headers: { accept } }), accept)
  }
  await assertNothing(await ask('/products/prd_1', { method: 'POST', headers: HTML }), 'POST')
  await assertNothing(await ask('/', { method: 'DELETE', headers: HTML }), 'DELETE')
})

test('an asset is kept for ever, for its name changes with it; one that is not there is not the page', async () => {
  const { ask } = openWeb()
  const asset = await ask('/assets/shop-3c4d.css')
  assert.equal(asset.headers.get('content-type'), 'text/css; charset=utf-8')
  assert.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable')
  const picture = await ask('/pictures/prd_walnut-desk.svg', { headers: { cookie: 'a=b' } })
  assert.match(picture.headers.get('content-type') ?? '', /^image\/svg\+xml/)
  assert.equal(picture.headers.get('cache-control'), 'public, max-age=3600')
  assert.equal((await ask('/fonts/a%20b+c@%C3%A9.woff2')).headers.get('content-type'), 'font/woff2')
  await assertNothing(await ask('/assets/app-0000.js', { headers: HTML }), 'an old asset')
})

test('the gateway’s own paths stay its own, whatever stands in the web root', async () => {
  const { ask } = openWeb()
  assert.match(await (await ask('/health/live', { headers: HTML })).text(), /"status":"ok"/)
  assert.match(await (await ask('/api/users', { headers: HTML })).text(), /users\.test/)
  assert.match(await (await ask('/metrics', { headers: HTML })).text(), /^# HELP/)
  assert.equal(await (await ask('/browser/session', { headers: HTML })).text(), '{"user":null}')
  for (const path of ['/api', '/api/nothing', '/health', '/browser/x', '/metrics/x']) {
    await assertNothing(await ask(path, { headers: HTML }), path)
  }
})

test('no path leads to a dot file, out of the folder, through a link, or to a compressed form', async (t) => {
  const folder = build()
  const outside = build({ 'passwd.txt': 'secret' })
  symlinkSync(join(outside, 'passwd.txt'), join(folder, 'passwd.txt'))
  symlinkSync(outside, join(folder, 'linked'))
  const { app } = openWeb(folder)
  const { port, close } = await listen(app.fetch, { host: '127.0.0.1', port: 0 })
  t.after(() => close(0))
  const paths = [
    '/.env',
    '/.git/config',
    '/assets/.hidden.js',
    '/passwd.txt',
    '/linked/passwd.txt',
    '/assets/app-1a2b.js.br',
    '/../passwd.txt',
    `/..%2f${outside.slice(1)}/passwd.txt`,
    `/%2e%2e/%2e%2e${outside}/passwd.txt`,
    `/assets/..%5c..%5cpasswd.txt`,
    `/${outside}/passwd.txt`,
    '/index.html%00.js',
    '/%',
    '/assets',
    '/assets/',
  ]
  for (const path of paths) await assertNothing(await getPlain(port, path), path)
})

/** By node:http, which sends a path as it is. */
const getPlain = (port: number, path: string) =>
  new Promise<Response>((resolve, reject) => {
    const asked = { host: '127.0.0.1', port, path, agent: false }
    get(asked, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const headers = Object.entries(answer.headers).map(([name, value]) => [name, String(value)])
        const init = { status: answer.statusCode ?? 0, headers: Object.fromEntries(headers) }
        resolve(new Response(Buffer.concat(chunks), init))
      })
    }).on('error', reject)
  })

test('a browser gets the smallest form that it takes, as it was made when it was built', async () => {
  const { ask } = openWeb()
  const asset = (accepted?: string, path = '/assets/app-1a2b.js') =>
    ask(path, { headers: accepted === undefined ? {} : { 'accept-encoding': accepted } })
  const unpack = { br: brotliDecompressSync, gzip: gunzipSync, none: (body: Buffer) => body }
  const cases: [string | undefined, keyof typeof unpack][] = [
    ['gzip, deflate, br, zstd', 'br'],
    ['GZIP', 'gzip'],
    ['br;q=0, *', 'gzip'],
    ['*', 'br'],
    ['br;q=0, gzip;q=0', 'none'],
    ['deflate', 'none'],
    ['', 'none'],
    [undefined, 'none'],
  ]
  const etags = new Set<string | null>()
  for (const [accepted, encoding] of cases) {
    const response = await asset(accepted)
    const body = Buffer.from(await response.arrayBuffer())
    assert.equal(response.headers.get('content-encoding') ?? 'none', encoding, String(accepted))
    assert.equal(response.headers.get('content-length'), String(body.length))
    assert.equal(response.headers.get('vary'), 'accept-encoding')
    assert.equal(unpack[encoding](body).toString(), SCRIPT)
    etags.add(response.headers.get('etag'))
  }
  assert.equal(etags.size, 3) // each form is another representation
  const plain = await asset('br', '/assets/shop-3c4d.css')
  assert.deepEqual([plain.headers.get('content-encoding'), plain.headers.get('vary')], [null, null])
})

test('what a browser has already is not sent again: 304 until it is another', async () => {
  const { ask } = openWeb()
  const first = await ask('/', { headers: HTML })
  const etag = first.headers.get('etag') ?? ''
  assert.match(etag, /^"[\w-]{22}"$/)
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await ask('/cart', { headers: { ...HTML, 'if-none-match': known } })
    assert.deepEqual(await read(again), [304, ''], known)
    assert.equal(again.headers.get('etag'), etag)
    assert.equal(again.headers.get('cache-control'), 'no-cache')
    assert.equal(again.headers.get('content-length'), null)
  }
  const other = await ask('/', { headers: { ...HTML, 'if-none-match': '"other"' } })
  assert.equal(other.status, 200)
  const rebuilt = openWeb(build({ ...BUILT, 'index.html': 'new' }))
  const fresh = await rebuilt.ask('/', { headers: { ...HTML, 'if-none-match': etag } })
  assert.deepEqual(await read(fresh), [200, 'new'])
})

test('HEAD tells what GET would, over a real socket too', async (t) => {
  const { app, ask } = openWeb()
  assert.equal(await (await ask('/', { method: 'HEAD', headers: HTML })).text(), '')
  const { port, close } = await listen(app.fetch, { host: '127.0.0.1', port: 0 })
  t.after(() => close(0))
  const base = `http://127.0.0.1:${port}`
  for (const path of ['/cart', '/assets/app-1a2b.js']) {
    const headers = { ...HTML, 'accept-encoding': 'br' }
    const [whole, head] = [
      await fetch(base + path, { headers }),
      await fetch(base + path, { headers, method: 'HEAD' }),
    ]
    assert.ok((await whole.text()).length > 0)
    assert.equal(await head.text(), '')
    for (const name of ['content-type', 'content-length', 'content-encoding', 'etag', 'vary']) {
      assert.equal(head.headers.get(name), whole.headers.get(name), name)
    }
    assert.equal(head.headers.get('transfer-encoding'), null)
  }
})

test('a page may run, show and reach only what this origin gave it', async () => {
  const { ask } = openWeb(build(), 'https://shop.test')
  for (const path of ['/', '/cart', '/assets/app-1a2b.js']) {
    const { headers } = await ask(path, { headers: HTML })
    const policy = headers.get('content-security-policy') ?? ''
    assert.doesNotMatch(policy, /unsafe|\*|http|blob/)
    for (const part of [
      "default-src 'self'",
      "img-src 'self' data:",
      "connect-src 'self'",
      "object-src 'none'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
    ]) {
      assert.ok(policy.split('; ').includes(part), part)
    }
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'same-origin')
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin')
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin')
    assert.match(headers.get('permissions-policy') ?? '', /camera=\(\)/)
    assert.match(headers.get('strict-transport-security') ?? '', /max-age=/)
    assert.match(headers.get('x-request-id') ?? '', /^req_/)
  }
})

test('a folder that cannot be served ends the start with a sentence that names the setting', () => {
  const large = build({ 'index.html': '', 'film.mp4': '' })
  truncateSync(join(large, 'film.mp4'), 65 * 1024 * 1024)
  const many = build({ 'index.html': '' })
  for (let n = 0; n < 2_000; n += 1) writeFileSync(join(many, `${n}.txt`), '')
  const cases: [string, RegExp][] = [
    ['/nowhere/at/all', /WEB_ROOT: names a folder that cannot be read \(ENOENT\)$/],
    [build({ 'other.html': '' }), /WEB_ROOT: names a folder without an index\.html/],
    [large, /WEB_ROOT: names a folder of more than 64 MiB$/],
    [many, /WEB_ROOT: names a folder of more than 2000 files$/],
  ]
  for (const [folder, message] of cases) {
    assert.throws(() => readConfig({ WEB_ROOT: folder }), message)
  }
})

test('what was read at the start is served, whatever becomes of the folder', async () => {
  const folder = build()
  const { ask } = openWeb(folder)
  writeFileSync(join(folder, 'index.html'), 'half a pa')
  assert.deepEqual(await read(await ask('/')), [200, PAGE])
  assert.deepEqual(await read(await openWeb(folder).ask('/')), [200, 'half a pa'])
})
