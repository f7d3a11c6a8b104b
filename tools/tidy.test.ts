import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

// The style of the repository, as far as it can be checked (CONTRIBUTING.md says it in words).

const ROOT = path.resolve(import.meta.dirname, '..')
const SERVICES = ['users', 'products', 'orders', 'payments']
const ROOMS = [
  'contract',
  'config',
  'domain',
  'store',
  'actions',
  'routes',
  'events',
  'app',
  'main',
]

const find = (pattern: string): string[] =>
  globSync(pattern, {
    cwd: ROOT,
    exclude: ['**/node_modules/**', '**/.quartet/**', '**/dist/**'],
  }).toSorted()
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8')

const isTest = (file: string) => /\.(test|fixture)\.ts$/.test(file) || file.includes('/testing/')
const typescript = find('{kit,services,gateway,tools,tests,bench,web}/**/*.{ts,tsx}')
const sources = typescript.filter((file) => !isTest(file))
const inWorld = sources.filter((file) => /^(kit|services|gateway)\//.test(file))

/** Fails with every offender in one message. */
function none(offenders: string[], rule: string): void {
  assert.deepEqual(offenders, [], rule)
}

/** Lines of a file without comments, so that words about a thing are not the thing. */
function codeOf(file: string): string {
  return read(file)
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(^|\s)(\/\/|--).*$/gm, '$1')
}

test('every service has the same rooms', () => {
  const missing = SERVICES.flatMap((service) => {
    const folder = `services/${service}`
    const rooms = ROOMS.map((room) => `${folder}/src/${room}.ts`)
    const files = [`${folder}/README.md`, `${folder}/events`, ...rooms]
    return files.filter((file) => !existsSync(path.join(ROOT, file)))
  })
  none(missing, 'a room is missing')
})

test('files are of a size that one reads at a sitting', () => {
  const lines = (file: string) => read(file).split('\n').length - 1
  none(
    typescript.filter((file) => lines(file) > (isTest(file) ? 500 : 300)),
    'at most 300 lines, tests 500: split by concept',
  )
})

test('every file opens with a sentence that says what it owns', () => {
  const opened = /^(#!.*\n)?\/\*\* \S/
  none(
    sources.filter((file) => !opened.test(read(file))),
    'begin with /** … */',
  )
})

test('names are kebab-case and say what is in the file', () => {
  const names = typescript.filter((file) => !/\/[a-z0-9.-]+\.tsx?$/.test(file))
  const vague = typescript.filter((file) =>
    /\b(utils?|helpers?|common|managers?|misc)\b/.test(file.slice(file.indexOf('/'))),
  )
  none([...names, ...vague], 'kebab-case, and no utils, helpers, common, manager')
})

type Import = { file: string; target: string }

function importsOf(file: string): Import[] {
  const specifiers = read(file).matchAll(/(?:from|import)\s+'([^']+)'/g)
  return Array.from(specifiers, ([, specifier = '']) => {
    const isRelative = specifier.startsWith('.')
    const target = isRelative ? path.join(path.dirname(file), specifier) : specifier
    return { file, target }
  })
}

const shown = ({ file, target }: Import) => `${file} imports ${target}`

test('kit knows nothing but kit; a service knows kit and itself', () => {
  const strangers = typescript.flatMap(importsOf).filter(({ file, target }) => {
    if (isTest(file)) return false
    const [top, name] = file.split('/')
    if (top === 'kit')
      return /^(services|gateway|tools|tests)\//.test(target) || target.startsWith('@quartet/')
    if (top === 'gateway')
      return (
        target.startsWith('..') ||
        /^(services|tools|kit)\//.test(target) ||
        /^@quartet\/(?!kit\/)/.test(target)
      )
    if (top !== 'services') return false
    const isOwn = target.startsWith(`services/${name}/`)
    const isDoor = /^@quartet\/(kit\/.+|\w+\/contract)$/.test(target)
    const isPackage = !target.startsWith('services/') && !/^(kit|gateway|tools)\//.test(target)
    return !(isOwn || (isPackage && (!target.startsWith('@quartet/') || isDoor)))
  })
  none(strangers.map(shown), 'only contracts are for others')
})

test('the web takes only types of contracts, and nothing else of the services', () => {
  const web = typescript.filter((file) => file.startsWith('web/'))
  const taken = web.filter((file) =>
    Array.from(codeOf(file).matchAll(/^import (type )?[^']*'(@quartet\/[^']+|zod)'/gm)).some(
      ([, isType, from = '']) => isType === undefined || !/\/contract$|^zod$/.test(from),
    ),
  )
  none(taken, 'import type { … } from @quartet/<name>/contract: its code is not for browsers')
})

test('inside a service imports point one way', () => {
  // main → app → routes, events → actions → store → domain → contract; what a folder adds lies between.
  const rank: Record<string, number> = {
    contract: 0,
    config: 0,
    domain: 1,
    store: 2,
    actions: 3,
    routes: 5,
    app: 6,
    main: 7,
  }
  const rankOf = (file: string) => {
    const [, room = ''] = /^services\/\w+\/src\/([\w-]+)/.exec(file) ?? []
    return rank[room]
  }
  const back = sources.flatMap(importsOf).filter(({ file, target }) => {
    const from = rankOf(file)
    const to = rankOf(target)
    return from !== undefined && to !== undefined && to > from
  })
  none(back.map(shown), 'an import points back')
})

test('kit has no word of commerce', () => {
  const words =
    /\b(orders|order_?id|orderId|products?|payments?|carts?|checkouts?|skus?|catalog)\b/i
  const kit = find('kit/**/*.{ts,sql}').filter((file) => !isTest(file))
  const said = kit.filter((file) => words.test(read(file)))
  none(said, 'it is in the wrong room')
})

test('the environment is read by config.ts alone', () => {
  const readers = inWorld.filter((file) => /process\.env\b/.test(codeOf(file)))
  const allowed = (file: string) => file.endsWith('/config.ts') || file === 'kit/testing.ts'
  none(
    readers.filter((file) => !allowed(file)),
    'settings come from config',
  )
})

test('time, chance and network come from the world (decisions/004)', () => {
  const globals = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandomUUID\(/
  // Timers and fetch are the linter's, which knows a global from an argument. These build the real world.
  const real = new Set([
    'kit/time.ts',
    'kit/random.ts',
    'kit/server.ts',
    'kit/run-service.ts',
    'kit/testing.ts',
  ])
  const users = inWorld.filter((file) => !real.has(file) && globals.test(codeOf(file)))
  none(users, 'take it from the world')
  const sql = [...inWorld, ...find('{kit,services}/**/*.sql')]
  const clocks = sql.filter((file) =>
    /\b(now\(\)|current_timestamp|clock_timestamp\(|gen_random_uuid)/i.test(codeOf(file)),
  )
  none(
    clocks.filter((file) => !/\.now\(\)/.test(codeOf(file)) || /[^.]\bnow\(\)/.test(codeOf(file))),
    'pass it to SQL as a value',
  )
})

test('nothing is left for others, nothing is silenced', () => {
  const left =
    /\b(TODO|FIXME|XXX)\b|@ts-(ignore|expect-error|nocheck)|(ox|es)lint-disable|\bas any\b|as unknown as/
  const files = typescript.filter((file) => file !== 'tools/tidy.test.ts' && left.test(read(file)))
  none(files, 'finish it, or leave it out')
  const focused = typescript.filter(
    (file) => file !== 'tools/tidy.test.ts' && /\.(only|todo)\(|\{ (only|todo):/.test(read(file)),
  )
  none(focused, 'no focused tests')
})

const EVENT_TYPE = /'([a-z_]+\.[a-z_]+\.v\d+)'/g

/** Types of events that have an example, by the service whose folder it is in. */
const examplesOf = (service: string): string[] =>
  find(`services/${service}/events/*.json`).map((file) => path.basename(file, '.json'))

test('every type of event that code names has an example in the folder of a service', () => {
  const named = sources
    .filter((file) => file.startsWith('services/'))
    .flatMap((file) => Array.from(read(file).matchAll(EVENT_TYPE), ([, type = '']) => type))
  assert.ok(named.length > 0)
  const examples = new Set(SERVICES.flatMap(examplesOf))
  none(
    named.filter((type) => !examples.has(type)),
    'add an example to services/<name>/events',
  )
})

test('ARCHITECTURE.md names every event that has an example, with who publishes it, and no other', () => {
  const rows = read('ARCHITECTURE.md').matchAll(/^\| (`[a-z_]+\.[a-z_]+\.v\d+`.*?) \| (\w+) \|/gm)
  const told = Array.from(rows, ([, types = '', service = '']) =>
    Array.from(types.matchAll(/`(.+?)`/g), ([, type = '']) => `${service}: ${type}`),
  ).flat()
  const published = SERVICES.flatMap((service) =>
    examplesOf(service).map((type) => `${service}: ${type}`),
  )
  assert.deepEqual(told.toSorted(), published.toSorted())
})

test('an example of an event stays as it was published (CONTRIBUTING.md)', () => {
  const changed = SERVICES.flatMap((service) => {
    const folder = `services/${service}/events`
    const sums = new Set(read(`${folder}/SHA256SUMS`).split('\n'))
    return examplesOf(service)
      .map((type) => `${folder}/${type}.json`)
      .filter((file) => {
        const sum = createHash('sha256').update(read(file)).digest('hex')
        return !sums.delete(`${sum}  ${path.basename(file)}`)
      })
      .concat([...sums].filter(Boolean))
  })
  none(changed, 'what was published stays: publish a new version, add its example and its sum')
})

/** From before it was said; what ran can't be changed. Each only loosened what the code before relied on, or moved it. */
const BEFORE_THE_RULE = [
  'kit/migrations/0002.do.event-feed.sql',
  'services/orders/migrations/0002.do.cheap-checks.sql',
  'services/payments/migrations/0002.do.cheap-checks.sql',
  'services/products/migrations/0004.do.ids-of-adjustments.sql',
  'services/users/migrations/0002.do.guests.sql',
]

test('a migration takes nothing away from the version before, unless it says since when nothing needs it (CONTRIBUTING.md)', () => {
  const takesAway = /\b(drop|truncate|delete\s+from|update\s+\w+\s+set)\b|\bset\s+not\s+null\b/i
  const taking = find('{kit,services/*,gateway}/migrations/*.sql').filter(
    (file) => takesAway.test(codeOf(file)) && !/^-- contract: \S/m.test(read(file)),
  )
  const never = find('{kit,services/*,gateway}/migrations/*.sql').filter((file) =>
    codeOf(file)
      .split(/[;,]/)
      .some(
        (part) =>
          /\brename\b|\balter\s+column\s+\S+\s+(set\s+data\s+)?type\b/i.test(part) ||
          (/\badd\s+column\b.*\bnot\s+null\b/is.test(part) && !/\bdefault\b/i.test(part)),
      ),
  )
  const broken = new Set([...taking, ...never])
  none(
    [...broken].filter((file) => !BEFORE_THE_RULE.includes(file)),
    'expand, migrate, contract, each in a version of its own',
  )
  none(
    BEFORE_THE_RULE.filter((file) => !broken.has(file)),
    'it keeps to the rule',
  )
})

test('links in documents lead somewhere', () => {
  const documents = [
    ...find('*.md'),
    ...find('{kit,services,gateway,tools,tests,bench,decisions,web}/**/*.md'),
  ]
  const dead = documents.flatMap((file) =>
    Array.from(read(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g), ([, link = '']) => link)
      .filter((link) => !existsSync(path.join(ROOT, path.dirname(file), link)))
      .map((link) => `${file}: ${link}`),
  )
  none(dead, 'a dead link')
})

test('every file that a document names is there', () => {
  const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md']
  const named = /`((?:kit|services|gateway|tools|tests|decisions|web)\/[\w./-]+\.\w+)`/g
  const missing = documents.flatMap((file) =>
    Array.from(read(file).matchAll(named), ([, name = '']) => name)
      .filter((name) => !existsSync(path.join(ROOT, name)))
      .map((name) => `${file}: ${name}`),
  )
  none(missing, 'it names what is not there')
})

test('every rule of the shop that is built has a test that bears its number', () => {
  const titles = typescript
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) =>
      Array.from(
        read(file).matchAll(/\brules? ([\d, and]+)[:)]/g),
        ([, numbers = '']) => numbers.match(/\d+/g) ?? [],
      ).flat(),
    )
  const proven = new Set(titles.map(Number))
  const built = Array.from({ length: 23 }, (_, index) => index + 1)
  none(
    built.filter((rule) => !proven.has(rule)).map((rule) => `rule ${rule}`),
    'a rule without a test',
  )
})

test('the folders are those of ARCHITECTURE.md', () => {
  const map = read('ARCHITECTURE.md')
  const folders = readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(\.|node_modules|issues)/.test(entry.name))
    .map((entry) => entry.name)
  none(
    folders.filter((folder) => !map.includes(`${folder}/`)),
    'a folder that the map does not show',
  )
})
