/** Proves what the first page costs and how it comes: small, compressed, kept for ever, without a jump or a flash. */
import assert from 'node:assert/strict'
import { browserTest, openStage } from './visit.ts'

const stage = openStage()

const MAX_SCRIPT_BYTES = 120_000
/** Of layout shift; up to 0.1 counts as good (https://web.dev/articles/cls). */
const MAX_SHIFT = 0.02

browserTest(
  stage,
  'the first page’s scripts are 120 kB at most, compressed and kept for ever',
  async ({ visitor }) => {
    const { page } = await visitor()
    const scripts: { url: string; encoding?: string; cache?: string }[] = []
    page.on('response', (response) => {
      const { 'content-encoding': encoding, 'cache-control': cache } = response.headers()
      const url = response.url()
      if (url.includes('/assets/') && url.endsWith('.js')) {
        scripts.push({ url, ...(encoding && { encoding }), ...(cache && { cache }) })
      }
    })
    await page.goto('/')
    await page.getByRole('article').first().waitFor()
    const bytes = await page.evaluate<number>(
      `performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`,
    )
    assert.ok(bytes > 10_000 && bytes <= MAX_SCRIPT_BYTES, `${bytes} bytes`)
    assert.ok(scripts.length > 0)
    for (const { url, encoding, cache = '' } of scripts) {
      assert.ok(encoding === 'br' || encoding === undefined, `${url}: ${encoding}`)
      assert.match(cache, /immutable/, url)
    }
    assert.ok(scripts.some(({ encoding }) => encoding === 'br'))
  },
)

browserTest(stage, 'nothing jumps while a page fills', async ({ visitor }) => {
  for (const viewport of [
    { width: 390, height: 844 },
    { width: 1440, height: 900 },
  ]) {
    const { page } = await visitor({ viewport })
    for (const path of ['/', '/shop', '/products/prd_walnut-desk']) {
      // Answers that take their time: what stands there meanwhile must be as high as they are.
      await page.route('**/api/**', async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 300))
        await route.continue()
      })
      await page.goto(path)
      await page.getByRole('article').first().waitFor()
      await page.waitForLoadState('networkidle')
      const shift = await page.evaluate<number>(
        `new Promise((resolve) => {
          let sum = 0
          new PerformanceObserver((list) => {
            for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) sum += value
          }).observe({ type: 'layout-shift', buffered: true })
          setTimeout(() => resolve(sum), 300)
        })`,
      )
      assert.ok(shift <= MAX_SHIFT, `${path} at ${viewport.width}: ${shift}`)
      await page.unrouteAll({ behavior: 'ignoreErrors' })
    }
  }
})

const background = `getComputedStyle(document.body).backgroundColor`

browserTest(
  stage,
  'the look that was chosen stays, and is there before the page is',
  async ({ visitor }) => {
    const { page } = await visitor({ colorScheme: 'light' })
    await page.goto('/')
    const light = await page.evaluate<string>(background)
    await page.getByRole('button', { name: 'Switch to the dark look' }).click()
    const dark = await page.evaluate<string>(background)
    assert.notEqual(dark, light)
    // Without the application: what sets the look is there alone.
    await page.route('**/assets/*.js', (route) => route.abort())
    await page.reload()
    assert.equal(await page.evaluate<string>(background), dark)
  },
)

browserTest(stage, 'who wants less motion has none', async ({ visitor }) => {
  for (const reducedMotion of ['reduce', 'no-preference'] as const) {
    const { page } = await visitor({ reducedMotion })
    await page.route('**/api/products*', () => {})
    await page.goto('/shop')
    await page.getByRole('heading', { name: 'Everything' }).waitFor()
    const moving = await page.evaluate<number>('document.getAnimations().length')
    assert.equal(moving > 0, reducedMotion === 'no-preference')
  }
})
