/** Proves that every page and state of the shop is free of what axe finds, in both looks, and works by keyboard. */
import assert from 'node:assert/strict'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { SCENES } from './scenes.ts'
import { arriveAtOrder, assertQuiet, browserTest, confirmed, logIn, openStage } from './visit.ts'

const stage = openStage()

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

type Found = { id: string; nodes: { html: string; failureSummary?: string }[] }

/** What axe finds. Its code is evaluated from outside the page, where the page's policy does not reach. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  const found = await page.evaluate<Found[]>(
    `axe.run(document, { runOnly: ${JSON.stringify(RULES)} }).then(({ violations }) =>
      violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, failureSummary }) => ({ html, failureSummary })) })))`,
  )
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary = '' }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
  )
}

for (const { name, show } of SCENES) {
  browserTest(stage, `axe finds nothing: ${name}`, async (at) => {
    const visitor = await at.visitor({ viewport: { width: 1440, height: 900 } })
    const { page } = visitor
    await show(page, at)
    const found: string[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      found.push(...(await violations(page)).map((each) => `${colorScheme}: ${each}`))
    }
    await page.setViewportSize({ width: 390, height: 844 })
    found.push(...(await violations(page)).map((each) => `390: ${each}`))
    const width = await page.evaluate<number>('document.documentElement.scrollWidth')
    assert.ok(width <= 390, `nothing is wider than a phone: ${width}`)
    assert.deepEqual(found, [])
    assertQuiet(visitor)
    await page.context().close()
  })
}

const focused = (page: Page) =>
  page.evaluate<string>(
    `(document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '').trim()`,
  )

/** Presses Tab until this has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 120; presses += 1) {
    await page.keyboard.press('Tab')
    if ((await focused(page)).startsWith(name)) return
  }
  assert.fail(`${name} is not reached by Tab`)
}

browserTest(stage, 'a product is bought by keyboard alone', async (at) => {
  const { page } = await at.visitor()
  await logIn(page, at.at.shop.credentials.customer)
  await page.goto('/products/prd_dust-brush')
  await page.getByText(/in stock/).waitFor()
  await page.keyboard.press('Tab')
  assert.equal(await focused(page), 'Skip to the content')
  await page.keyboard.press('Enter')
  await tabTo(page, 'Put into the cart')
  await page.keyboard.press('Enter')
  await tabTo(page, 'Go to the cart')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Your cart' }).waitFor()
  await tabTo(page, 'To the checkout')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Checkout' }).waitFor()
  for (const [label, value] of [
    ['Name', 'Ada Lovelace'],
    ['Street and number', '12 Linden Lane'],
    ['Flat, floor', ''],
    ['Postal code', '04109'],
    ['Town or city', 'Leipzig'],
    ['State', ''],
    ['Country', 'Germany'],
  ] as const) {
    await tabToField(page, label)
    await page.keyboard.type(value)
  }
  await tabTo(page, 'Pay $22.00')
  await page.keyboard.press('Enter')
  await arriveAtOrder(page)
  await confirmed(page)
})

async function tabToField(page: Page, label: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab')
    const name = await page.evaluate<string>(
      `document.activeElement?.labels?.[0]?.textContent ?? ''`,
    )
    if (name.startsWith(label)) return
  }
  assert.fail(`${label} is not reached by Tab`)
}

browserTest(
  stage,
  'what is wrong in a form is named beside its field, and the first has the focus',
  async (at) => {
    const { page } = await at.visitor()
    await page.goto('/register')
    await page.getByLabel('Name').fill('Ada')
    await page.getByLabel('E-mail').fill('ada')
    await page.getByRole('button', { name: 'Make the account' }).click()
    const email = page.getByLabel('E-mail')
    await page.getByText('Enter an e-mail address such as').waitFor()
    await page.waitForFunction(`document.activeElement?.getAttribute('name') === 'email'`)
    const described = (await email.getAttribute('aria-describedby')) ?? ''
    assert.match((await page.locator(`[id="${described}"]`).textContent()) ?? '', /e-mail address/)
    assert.equal(await page.getByLabel('Name').inputValue(), 'Ada')
  },
)

browserTest(
  stage,
  'a new page is announced, and begins at its top with the focus on its content',
  async (at) => {
    const { page } = await at.visitor()
    await page.goto('/')
    await page.getByRole('article').nth(6).scrollIntoViewIfNeeded()
    await page.getByRole('article').nth(6).getByRole('link').click()
    await page.getByText(/in stock/).waitFor()
    assert.equal(await page.evaluate('scrollY'), 0)
    assert.equal(await page.evaluate('document.activeElement?.id'), 'content')
    const name = (await page.getByRole('heading', { level: 1 }).textContent()) ?? ''
    await page.getByRole('status').filter({ hasText: name }).first().waitFor()
    await page.goBack()
    await page.getByRole('heading', { name: 'From all over the shop' }).waitFor()
    await page.waitForFunction('scrollY > 200')
  },
)
