/** Proves what every service's HTTP has in common: bad input is a 4xx that names the field, nothing inside is told. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { createRoute, z } from '@hono/zod-openapi'
import { checkIfMatch, createHttp, notFound, type Http } from './http.ts'
import type { Fields } from './log.ts'
import { ConnectionLost, type Database } from './postgres.ts'
import { Problem } from './problem.ts'
import { id, money, problemSchema, text } from './schema.ts'
import { listen } from './server.ts'
import { createTestDatabase, createTestWorld, type TestDatabase } from './testing.ts'

let database: TestDatabase
let db: Database

before(async () => {
  database = await createTestDatabase({
    name: 'kit',
    migrations: new URL('./fixtures/migrations/', import.meta.url),
  })
  db = database.db
})

after(() => database.drop())

const thing = z
  .strictObject({
    name: text(20),
    cost: money(),
    tags: z
      .array(z.strictObject({ label: text(10) }))
      .max(3)
      .optional(),
  })
  .openapi('Thing')

const makeThing = createRoute({
  method: 'post',
  path: '/things/{id}',
  security: [{ bearer: [] }],
  request: {
    params: z.object({ id: id() }),
    query: z.object({ dry: z.enum(['yes', 'no']).optional() }),
    body: { required: true, content: { 'application/json': { schema: thing } } },
  },
  responses: {
    201: { description: 'Made', content: { 'application/json': { schema: thing } } },
    400: {
      description: 'Wrong',
      content: { 'application/problem+json': { schema: problemSchema } },
    },
  },
})

const logged: Fields[] = []
let accepting: boolean
let failure: () => unknown
let http: Http

beforeEach(() => {
  logged.length = 0
  accepting = true
  const note = (fields: Fields) => void logged.push(fields)
  const log = { debug: note, info: note, warn: note, error: note }
  const world = { ...createTestWorld({ config: {}, db }), log }
  http = createHttp(world, {
    name: 'things',
    title: 'Things',
    description: 'Makes things.',
    accepting: () => accepting,
  })
  http.openapi(makeThing, (c) => c.json(c.req.valid('json'), 201))
  http.get('/broken', () => {
    throw failure()
  })
  http.post('/commands/make', async (c) => c.text(String((await c.req.text()).length)))
})

const good = { name: 'A thing', cost: { amount: 5, currency: 'USD' } }

// A body that is a stream has no length. @types/node does not know `duplex` in RequestInit.
type Init = RequestInit & { duplex: 'half' }

function send(
  body: string | ReadableStream,
  headers: Record<string, string> = {},
  path = '/things/t1',
) {
  const init: Init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    duplex: 'half',
  }
  return Promise.resolve(http.fetch(new Request(`http://test${path}`, init)))
}

const get = (path: string, headers: Record<string, string> = {}) =>
  Promise.resolve(http.fetch(new Request(`http://test${path}`, { headers })))

type ProblemDocument = z.infer<typeof problemSchema>

async function problemOf(response: Response, status: number, what = ''): Promise<ProblemDocument> {
  assert.equal(response.status, status, what)
  assert.equal(response.headers.get('content-type'), 'application/problem+json')
  return problemSchema.parse(await response.json())
}

const fieldsOf = ({ errors }: ProblemDocument) => [
  ...new Set((errors ?? []).map(({ field }) => field)),
]

test('a good request passes', async () => {
  const response = await send(JSON.stringify(good))
  assert.equal(response.status, 201)
  assert.deepEqual(await response.json(), good)
})

test('a problem is RFC 9457, and its error repeats the title for plain clients', async () => {
  failure = () =>
    new Problem('conflict', 'Taken', {
      code: 'id_taken',
      detail: 'Choose another.',
      members: { thing_id: 't1' },
      retryAfterS: 3,
    })
  const response = await get('/broken')
  assert.equal(response.status, 409)
  assert.equal(response.headers.get('retry-after'), '3')
  assert.deepEqual(await response.json(), {
    type: 'urn:quartet:problem:id_taken',
    title: 'Taken',
    status: 409,
    detail: 'Choose another.',
    instance: '/broken',
    code: 'id_taken',
    thing_id: 't1',
    error: 'Taken',
  })
  failure = () => notFound('Thing')
  assert.equal((await problemOf(await get('/broken'), 404)).error, 'Thing not found')
  failure = () => new Problem('unauthenticated', 'Who?')
  assert.equal((await get('/broken')).headers.get('www-authenticate'), 'Bearer')
})

test('malformed JSON is a 400', async () => {
  for (const body of ['{', '', '{"name": }', "{'a':1}", '\ufeff{}x', 'null', '[]', '5', '"text"']) {
    await problemOf(await send(body), 400, body)
  }
})

test('each wrong field is named, wherever it stands', async () => {
  const wrong: [unknown, string[]][] = [
    [{}, ['name', 'cost']],
    [{ ...good, name: 5 }, ['name']],
    [{ ...good, name: '' }, ['name']],
    [{ ...good, cost: { amount: 1.5, currency: 'XYZZY' } }, ['cost.amount', 'cost.currency']],
    [{ ...good, cost: { amount: 1e300, currency: 'USD' } }, ['cost.amount']],
    [{ ...good, tags: [{ label: 'ok' }, { label: 'far too long' }] }, ['tags.1.label']],
    [{ ...good, role: 'admin' }, ['role']],
    [{ ...good, tags: [{ label: 'ok', extra: 1 }] }, ['tags.0.extra']],
    [{ ...good, ['x'.repeat(10_000)]: 1 }, ['x'.repeat(64)]],
  ]
  for (const [body, fields] of wrong) {
    const problem = await problemOf(await send(JSON.stringify(body)), 400, fields.join())
    assert.deepEqual(fieldsOf(problem), fields)
  }
  const query = await problemOf(await send(JSON.stringify(good), {}, '/things/t1?dry=maybe'), 400)
  assert.deepEqual(fieldsOf(query), ['dry'])
  const param = await problemOf(await send(JSON.stringify(good), {}, '/things/a%00b'), 400)
  assert.deepEqual(fieldsOf(param), ['id'])
})

test('fields named like parts of an object are refused, not obeyed', async () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    const body = `{"name":"a","cost":{"amount":1,"currency":"USD"},"${name}":{"role":"admin"}}`
    assert.deepEqual(fieldsOf(await problemOf(await send(body), 400, name)), [name])
  }
})

test('a thousand wrong fields make a short answer', async () => {
  const body = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`f${index}`, 1]))
  const problem = await problemOf(await send(JSON.stringify(body)), 400)
  assert.ok(fieldsOf(problem).length <= 40)
  assert.ok(JSON.stringify(problem).length < 10_000)
})

test('NUL and lone surrogates, raw or as JSON escapes, are refused in values and in names', async () => {
  const withName = (name: string) => `{"name":${name},"cost":{"amount":1,"currency":"USD"}}`
  for (const name of ['"a\\u0000b"', '"\\ud800"', '"x\\udc00y"', '"\\udc00\\ud800"']) {
    const problem = await problemOf(await send(withName(name)), 400, name)
    assert.deepEqual(fieldsOf(problem), ['name'])
  }
  await problemOf(await send(withName('"a\0b"')), 400, 'a raw NUL')
  assert.equal((await send(withName('"\\ud83d\\ude00"'))).status, 201)
  const keyed = `{"name":"a","cost":{"amount":1,"currency":"USD"},"a\\u0000\\ud800":1}`
  await problemOf(await send(keyed), 400, 'a key')
})

test('100,000 nested arrays are a 400, as the body, in a field, and in an unknown field', async () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)
  for (const body of [deep, `{"name":${deep}}`, `{"unknown":${deep}}`, '['.repeat(100_000)]) {
    await problemOf(await send(body), 400)
  }
})

test('another content type than JSON is a 415, and so is none at all', async () => {
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'json',
    '',
  ]
  for (const type of types) {
    await problemOf(await send(JSON.stringify(good), { 'content-type': type }), 415, type)
  }
  for (const type of ['application/json; charset=utf-8', 'application/merge-patch+json']) {
    assert.equal((await send(JSON.stringify(good), { 'content-type': type })).status, 201, type)
  }
  const bare = new Request('http://test/things/t1', {
    method: 'POST',
    body: Buffer.from(JSON.stringify(good)),
  })
  await problemOf(await http.fetch(bare), 415, 'none')
})

test('a body past the limit is a 413, whether or not it says its length', async () => {
  const huge = JSON.stringify({ ...good, name: 'x'.repeat(300_000) })
  await problemOf(await send(huge, { 'content-length': String(huge.length) }), 413, 'said')
  await problemOf(await send(new Blob([huge]).stream()), 413, 'a stream')
  await problemOf(await send(huge, { 'content-length': '999999999' }), 413, 'said too much')
  // Batches of other services are larger.
  assert.equal(await (await send(huge, {}, '/commands/make')).text(), String(huge.length))
  const tooHuge = new Blob(['x'.repeat(17 * 1024 * 1024)]).stream()
  await problemOf(await send(tooHuge, {}, '/commands/make'), 413, 'a batch')
  assert.deepEqual(logged, []) // the sender's fault, not a failure of ours
})

test('over a real socket, too, a body past the limit is a 413', async () => {
  const server = await listen((request) => http.fetch(request), { host: '127.0.0.1', port: 0 })
  try {
    const init: Init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob(['x'.repeat(300_000)]).stream(),
      duplex: 'half',
    }
    const response = await fetch(`http://127.0.0.1:${server.port}/things/t1`, init)
    await problemOf(response, 413)
  } finally {
    await server.close(0)
  }
})

test('an unexpected error is a 500 that tells nothing of the inside, and is logged once', async () => {
  const inside = new Error('password of postgres at 10.0.0.7')
  failure = () => inside
  const problem = await problemOf(await get('/broken'), 500)
  assert.doesNotMatch(JSON.stringify(problem), /10\.0\.0\.7|at .*\.ts|stack/)
  assert.equal(problem.code, 'internal')
  assert.equal(logged.length, 1)
  assert.deepEqual(logged[0], { error: inside, method: 'GET', route: '/broken' })
})

const databaseError = (code: string) =>
  Object.assign(new Error('Key (email)=(a@b.example) already exists'), { code, severity: 'ERROR' })

test('a lost connection, and conflicts that outlast every retry, are a 503 to be sent again', async () => {
  const failures = [
    new ConnectionLost(undefined),
    ...['40P01', '55P03', '57014', '53300'].map(databaseError),
  ]
  for (const error of failures) {
    failure = () => error
    const response = await get('/broken')
    assert.ok(response.headers.get('retry-after') !== null)
    assert.equal((await problemOf(response, 503, String(error))).code, 'database_unavailable')
  }
})

test('data that PostgreSQL refuses is a 400 that does not repeat its words', async () => {
  for (const state of ['22021', '23505']) {
    failure = () => databaseError(state)
    const problem = await problemOf(await get('/broken'), 400, state)
    assert.doesNotMatch(JSON.stringify(problem), /example/)
  }
})

test('what is not there is a 404 problem', async () => {
  const problem = await problemOf(await get('/nowhere/%E0%A4%A'), 404)
  assert.equal(problem.error, 'Not found')
})

test('If-Match passes when absent, any or one of the named versions; else it is a 412', () => {
  const check = (value?: string) => {
    const headers = new Headers()
    if (value !== undefined) headers.set('if-match', value)
    checkIfMatch(new Request('http://test/', { headers }), '"2"')
  }
  for (const value of [undefined, '*', '"2"', '"1", "2"', ' "2" ']) check(value)
  for (const value of ['"1"', '2', 'W/"2"', '', '"22"', '"1", "3"']) {
    assert.throws(
      () => check(value),
      (error) => error instanceof Problem && error.status === 412,
    )
  }
})

test('health: alive as long as it answers; ready while it accepts and its database answers', async () => {
  assert.equal((await get('/health/live')).status, 200)
  const ready = await get('/health/ready')
  assert.deepEqual(await ready.json(), { status: 'ok', service: 'things' })
  accepting = false
  const stopping = await get('/health/ready')
  assert.equal(stopping.status, 503)
  assert.deepEqual(await stopping.json(), { status: 'stopping', service: 'things' })
  assert.equal((await get('/health/live')).status, 200)
})

test('health: a database that does not answer is not ready, but alive', async () => {
  const gone: Database = { ...db, query: () => Promise.reject(new ConnectionLost(undefined)) }
  const world = createTestWorld({ config: {}, db: gone })
  http = createHttp(
    { ...world, log: { debug() {}, info() {}, warn() {}, error() {} } },
    { name: 'things', title: 'Things', description: '', accepting: () => true },
  )
  const response = await get('/health/ready')
  assert.equal(response.status, 503)
  assert.deepEqual(await response.json(), { status: 'database_unavailable', service: 'things' })
  assert.equal((await get('/health/live')).status, 200)
})

test('metrics count requests by method, route pattern and status, never by path', async () => {
  await send(JSON.stringify(good), {}, '/things/t1')
  await send(JSON.stringify(good), {}, '/things/t2')
  await send('{', {}, '/things/t3')
  await get('/nowhere/1')
  const response = await get('/metrics')
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain/)
  const metrics = await response.text()
  const counted = (status: number) =>
    new RegExp(
      `^http_request_duration_seconds_count\\{(?=[^}]*route="/things/:id")(?=[^}]*status="${status}")(?=[^}]*service="things")[^}]*\\} (\\d+)$`,
      'm',
    ).exec(metrics)?.[1]
  assert.equal(counted(201), '2')
  assert.equal(counted(400), '1')
  assert.doesNotMatch(metrics, /t1|nowhere/)
})

const openApi = z.looseObject({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.looseObject({ title: z.string(), version: z.string(), description: z.string() }),
  paths: z.record(
    z.string().startsWith('/'),
    z.record(z.string(), z.looseObject({ responses: z.looseObject({}) })),
  ),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
})

test('/openapi.json is an OpenAPI 3.1 document whose references all lead somewhere', async () => {
  const response = await get('/openapi.json')
  assert.equal(response.status, 200)
  const source = await response.text()
  const document = openApi.parse(JSON.parse(source))
  assert.equal(document.info.title, 'Things')
  assert.ok(document.paths['/things/{id}']?.['post'] !== undefined)
  for (const [, name = ''] of source.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    assert.ok(name in document.components.schemas, name)
  }
  assert.ok('Thing' in document.components.schemas && 'Problem' in document.components.schemas)
  assert.match(source, /"securitySchemes":\{"bearer":\{"type":"http","scheme":"bearer"/)
  assert.doesNotMatch(source, /"nullable"/) // a word of 3.0
})

test('no route of its own keeps a service from Hono’s fastest router', async () => {
  await get('/health/live')
  assert.equal(http.router.name, 'SmartRouter + RegExpRouter')
})

test('/docs is a page with its script and style, all served from here', async () => {
  const page = await get('/docs')
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/)
  assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'self'/)
  const html = await page.text()
  const assets = [...html.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, url = '']) => url)
  assert.equal(assets.length, 3)
  for (const asset of assets) {
    const response = await http.fetch(new Request(new URL(asset, 'http://test/docs')))
    assert.equal(response.status, 200, asset)
    const content = await response.text()
    assert.match(response.headers.get('content-type') ?? '', /^text\/(css|javascript)/)
    if (asset.endsWith('.css')) assert.doesNotMatch(content, /url\(["']?(https?:)?\/\/|@import/)
    if (asset.endsWith('start.js')) assert.doesNotMatch(content, /https?:/)
  }
  assert.doesNotMatch(html, /https?:|["'(]\/\//)
  for (const path of ['/docs/package.json', '/docs/..%2fpackage.json', '/docs/nothing']) {
    assert.equal((await get(path)).status, 404, path)
  }
})
