/** Owns the scenes of looking around. */
import { fail, heading, type Scene } from './scene.ts'

export const looking: Scene[] = [
  {
    name: 'home',
    async show(page) {
      await page.goto('/')
      await page.getByRole('article').first().waitFor()
    },
  },
  {
    name: 'category',
    async show(page) {
      await page.goto('/shop/Lighting')
      await page.getByRole('article').first().waitFor()
    },
  },
  {
    name: 'search-narrowed',
    async show(page) {
      await page.goto('/shop?q=wo&min=20&sort=price')
      await page.getByRole('article').first().waitFor()
    },
  },
  {
    name: 'search-nothing',
    async show(page) {
      await page.goto('/shop?q=unobtainium')
      await heading(page, 'Nothing like that is here.')
    },
  },
  {
    name: 'suggestions',
    async show(page) {
      await page.goto('/shop/Audio')
      await page.getByRole('combobox', { name: 'Search the shop' }).pressSequentially('li')
      await page.getByRole('option').nth(3).waitFor()
      await page.getByRole('combobox', { name: 'Search the shop' }).press('ArrowDown')
    },
  },
  {
    name: 'product',
    async show(page) {
      await page.goto('/products/prd_night-light')
      await page.getByText(/in stock/).waitFor()
      await page.getByRole('article').nth(1).waitFor()
    },
  },
  {
    name: 'product-gone',
    async show(page) {
      await page.goto('/products/prd_nothing')
      await heading(page, 'This is not here.')
    },
  },
  {
    name: 'loading',
    async show(page) {
      await page.route('**/api/**', () => {})
      await page.goto('/shop')
      await heading(page, 'Everything')
    },
  },
  {
    name: 'catalog-down',
    async show(page) {
      await fail(page, '**/api/products*')
      await page.goto('/shop')
      await page.getByRole('button', { name: 'Try again' }).waitFor()
    },
  },
  {
    name: 'catalog-stale',
    async show(page) {
      await page.goto('/shop/Kitchen')
      await page.getByRole('article').first().waitFor()
      await page.waitForTimeout(1_500)
      await fail(page, '**/api/products*')
      await page.reload()
      await page.getByText('The catalog does not answer right now.').waitFor()
    },
  },
  {
    name: 'nothing-here',
    async show(page) {
      await page.goto('/no/such/page')
      await heading(page, 'There is nothing at this address.')
    },
  },
]
