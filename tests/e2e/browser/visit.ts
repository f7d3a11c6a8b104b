/** Owns a shop with its pages and a browser before it, and what visitors do there again and again. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { buildPages, STOREFRONT } from '../../../tools/start/pages.ts'
import type { ShopOptions } from '../../../tools/start/shop.ts'
import { openShop, type TestShop } from '../shop.ts'
import { chromiumPath, launch } from './chromium.ts'

/** Somebody with a browser window: what its console said is kept. */
export type Visitor = { page: Page; said: string[] }

export type Stage = {
  at: TestShop
  browser: Browser
  /** A new person: own cookies, own storage. The window is closed with the stage. */
  visitor: (options?: BrowserContextOptions) => Promise<Visitor>
}

/** What is there before the shop, and is told of it once it is open. */
type Preparation = Pick<ShopOptions, 'env'> & { onOpen: (at: TestShop) => void }

/** A test that needs a browser; where none is installed it is skipped, and says so. */
export function browserTest(
  stage: () => Stage,
  title: string,
  run: (stage: Stage) => Promise<void>,
) {
  const isThere = chromiumPath() !== undefined
  test(`in a browser: ${title}`, { skip: isThere ? false : 'Chromium is not installed' }, () =>
    run(stage()),
  )
}

/** Opens a shop and a browser before the tests of a file, and closes both after them. */
export function openStage(prepare?: () => Promise<Preparation>): () => Stage {
  let raised: Raised | undefined
  before(async () => {
    if (chromiumPath() !== undefined) raised = await raiseStage(await prepare?.())
  })
  after(() => raised?.close())
  return () => {
    assert.ok(raised)
    return raised.stage
  }
}

type Raised = { stage: Stage; close: () => Promise<void> }

/** A shop with its pages, and a browser before it. */
export async function raiseStage({ env, onOpen }: Partial<Preparation> = {}): Promise<Raised> {
  const browser = await launch()
  const at = await openShop({ ...(env && { env }), pages: () => buildPages(STOREFRONT) })
  onOpen?.(at)
  const close = async () => {
    await browser.close()
    await at.close()
  }
  if (!at.shop.hasPages) {
    await close()
    throw new Error('the pages could not be built: npm run build -w web/storefront says why')
  }
  const stage: Stage = { at, browser, visitor: (options) => newVisitor(at, browser, options) }
  return { stage, close }
}

async function newVisitor(
  { shop }: TestShop,
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const baseURL = shop.urls.gateway
  const context = await browser.newContext({ baseURL, reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  const said: string[] = []
  page.on('console', (message) => void said.push(message.text()))
  page.on('pageerror', (error) => void said.push(`uncaught: ${error.message}`))
  return { page, said }
}

/** Fails where a page broke, or did what the Content-Security-Policy forbids. */
export function assertQuiet({ said }: Visitor): void {
  const loud = said.filter((text) => /uncaught|Content Security Policy|React/i.test(text))
  assert.deepEqual(loud, [])
}

const ADDRESS = {
  Name: 'Ada Lovelace',
  'Street and number': '12 Linden Lane',
  'Postal code': '04109',
  'Town or city': 'Leipzig',
}

export async function fillAddress(page: Page): Promise<void> {
  for (const [label, value] of Object.entries(ADDRESS)) {
    await page.getByLabel(label, { exact: true }).fill(value)
  }
  await page.getByLabel('Country').selectOption('DE')
}

export async function logIn(
  page: Page,
  { email, password }: { email: string; password: string },
): Promise<void> {
  await page.goto('/log-in')
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.waitForURL((url) => url.pathname === '/account')
}

export async function putIntoCart(page: Page, productId: string): Promise<void> {
  await page.goto(`/products/${productId}`)
  await page.getByRole('button', { name: 'Put into the cart' }).click()
  await page.getByText('in your cart.').waitFor()
}

/** With one thing in the cart and the address typed in: only the button is left to press. */
export async function readyToPay(page: Page, productId: string, card?: string): Promise<void> {
  await putIntoCart(page, productId)
  await page.goto('/checkout')
  await fillAddress(page)
  if (card !== undefined) await choose(page, card)
}

/** A way to pay, by what is written on it. */
export async function choose(page: Page, card: string): Promise<void> {
  const more = page.getByText('Cards that make trouble')
  if (!(await page.getByText(card).isVisible())) await more.click()
  await page.getByText(card).click()
}

export const pay = (page: Page): Promise<void> =>
  page.getByRole('button', { name: /^Pay \$/ }).click()

/** Waits for the order's page and gives the order's id. */
export async function arriveAtOrder(page: Page): Promise<string> {
  await page.waitForURL((url) => url.pathname.startsWith('/orders/'))
  return new URL(page.url()).pathname.split('/').at(-1) ?? ''
}

export const confirmed = (page: Page): Promise<void> =>
  page.getByRole('heading', { name: 'Thank you. It is yours.' }).waitFor()
