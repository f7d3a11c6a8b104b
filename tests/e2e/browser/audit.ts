/** Owns `npm run audit -w web/storefront`: what the first page weighs, how soon it is of use, what Lighthouse says. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser } from 'playwright-core'
import { Explained, runProgram } from '../../../tools/explained.ts'
import { buildPages, STOREFRONT } from '../../../tools/start/pages.ts'
import { openShop } from '../shop.ts'
import { chromiumPath, QUIET } from './chromium.ts'

const PROJECT = path.resolve(import.meta.dirname, '../../../web/storefront')
const README = path.join(PROJECT, 'README.md')
const AUDIT = path.join(PROJECT, 'audit')
const LIGHTHOUSE = path.join(AUDIT, 'node_modules/lighthouse/core/index.js')
const DEBUGGING_PORT = 9_333
const TIMES = 5

const PAGES = { home: '/', category: '/shop/Kitchen', product: '/products/prd_walnut-desk' }
const CATEGORIES = ['performance', 'accessibility', 'best-practices', 'seo'] as const

type Category = (typeof CATEGORIES)[number]
type Report = {
  lhr: {
    categories: Record<Category, { score: number | null }>
    audits: Record<string, { numericValue?: number; score: number | null; title: string }>
  }
}
type Lighthouse = (url: string, flags: object, config?: object) => Promise<Report>

async function main(): Promise<void> {
  const executablePath = chromiumPath()
  if (executablePath === undefined) throw new Explained('Chromium is not installed.')
  const { lighthouse, desktop } = await loadLighthouse()
  const at = await openShop({ pages: () => buildPages(STOREFRONT) })
  const args = [...QUIET, `--remote-debugging-port=${DEBUGGING_PORT}`]
  const browser = await chromium.launch({ executablePath, args })
  try {
    const origin = at.shop.urls.gateway
    const lines = [...(await weigh(browser, origin)), ...(await time(browser, origin))]
    for (const [name, page] of Object.entries(PAGES)) {
      const flags = { port: DEBUGGING_PORT, onlyCategories: [...CATEGORIES], logLevel: 'error' }
      lines.push(scores(`${name}, phone`, await lighthouse(origin + page, flags)))
      lines.push(scores(`${name}, desktop`, await lighthouse(origin + page, flags, desktop)))
    }
    console.log(lines.join('\n'))
    if (process.argv.includes('--publish')) publish(lines)
  } finally {
    await browser.close()
    await at.close()
  }
}

/** It is large, and wanted here alone: installed when it is first asked for, as its lockfile says. */
async function loadLighthouse(): Promise<{ lighthouse: Lighthouse; desktop: object }> {
  if (!existsSync(LIGHTHOUSE)) {
    console.log('Installing Lighthouse ...')
    const options = { cwd: AUDIT, stdio: 'inherit' } as const
    const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--loglevel=error'], options)
    if (status !== 0) throw new Explained('npm could not install Lighthouse.')
  }
  const module = (await import(pathToFileURL(LIGHTHOUSE).href)) as {
    default: Lighthouse
    desktopConfig: object
  }
  return { lighthouse: module.default, desktop: module.desktopConfig }
}

type Resource = { name: string; bytes: number }

/** What the browser got over the wire for the first page, compressed as the gateway sends it. */
async function weigh(browser: Browser, origin: string): Promise<string[]> {
  const page = await browser.newPage()
  await page.goto(origin, { waitUntil: 'networkidle' })
  const got = await page.evaluate<Resource[]>(
    `performance.getEntriesByType('resource').map(({ name, encodedBodySize: bytes }) => ({ name, bytes }))`,
  )
  await page.close()
  const kB = (suffix: RegExp) => {
    const bytes = got
      .filter(({ name }) => suffix.test(name))
      .reduce((sum, each) => sum + each.bytes, 0)
    return `${(bytes / 1_000).toFixed(1)} kB`
  }
  return [
    `| JavaScript of the first page, compressed | ${kB(/\.js$/)} |`,
    `| its styles, its fonts | ${kB(/\.css$/)}, ${kB(/\.woff2$/)} |`,
  ]
}

/** From the first byte asked for to a catalog that one can click, in a browser that knows nothing. */
async function time(browser: Browser, origin: string): Promise<string[]> {
  const taken: number[] = []
  for (let run = 0; run < TIMES; run += 1) {
    const context = await browser.newContext()
    const page = await context.newPage()
    const startedMs = performance.now()
    await page.goto(`${origin}/shop`, { waitUntil: 'commit' })
    await page.getByRole('article').first().waitFor()
    taken.push(performance.now() - startedMs)
    await context.close()
  }
  const median = taken.toSorted((one, other) => one - other)[Math.floor(TIMES / 2)] ?? 0
  return [
    `| a catalog that one can click, empty cache, median of ${TIMES} | ${Math.round(median)} ms |`,
  ]
}

function scores(name: string, { lhr }: Report): string {
  const points = CATEGORIES.map((category) =>
    Math.round((lhr.categories[category].score ?? 0) * 100),
  )
  const failed = Object.values(lhr.audits).filter(({ score }) => score !== null && score < 0.9)
  for (const { title } of failed) console.log(`  ${name}: ${title}`)
  return `| Lighthouse, ${name}: performance, accessibility, best practices, SEO | ${points.join(', ')} |`
}

function publish(lines: string[]): void {
  const table = ['| what | figure |', '|---|--:|', ...lines].join('\n')
  const text = readFileSync(README, 'utf8')
  const published = text.replace(
    /<!-- audit -->[\s\S]*?<!-- \/audit -->/,
    `<!-- audit -->\n${table}\n<!-- /audit -->`,
  )
  writeFileSync(README, published)
}

await runProgram(main)
