/** Owns the scenes of buying. */
import { call } from '../../shop.ts'
import { pay, putIntoCart, readyToPay } from '../visit.ts'
import { asCustomer, heading, type Scene } from './scene.ts'

export const buying: Scene[] = [
  {
    name: 'cart-empty',
    async show(page) {
      await page.goto('/cart')
      await heading(page, 'Your cart is empty.')
    },
  },
  {
    name: 'cart',
    async show(page) {
      await putIntoCart(page, 'prd_linen-armchair')
      await putIntoCart(page, 'prd_opal-pendant')
      await putIntoCart(page, 'prd_bread-book')
      await page.goto('/cart')
      await page.getByRole('link', { name: 'Bread, Slowly' }).first().waitFor()
    },
  },
  {
    name: 'cart-trouble',
    async show(page, { at }) {
      await putIntoCart(page, 'prd_enamel-teapot')
      await putIntoCart(page, 'prd_oak-dining-table')
      await page.evaluate(
        `localStorage.setItem('fermata.cart', localStorage.getItem('fermata.cart').replace('3900', '3500').replace('"quantity":1', '"quantity":99').replaceAll('prd_oak', 'prd_elm'))`,
      )
      await call(`${at.shop.urls.products}/products/prd_enamel-teapot`)
      await page.goto('/cart')
      await page.getByText('not sold any more').waitFor()
    },
  },
  {
    name: 'checkout',
    async show(page) {
      await readyToPay(page, 'prd_night-light')
      await page.getByLabel('E-mail').fill('ada@example.com')
    },
  },
  {
    name: 'checkout-errors',
    async show(page) {
      await putIntoCart(page, 'prd_night-light')
      await page.goto('/checkout')
      await page.getByLabel('E-mail').fill('ada at home')
      await pay(page)
      await page.getByText('Choose a country.').waitFor()
    },
  },
  {
    name: 'checkout-declined',
    async show(page, stage) {
      await asCustomer(page, stage)
      await readyToPay(page, 'prd_night-light', 'too little money')
      await pay(page)
      await page.getByRole('alert').getByText('not enough money').waitFor()
    },
  },
  {
    name: 'checkout-waiting',
    async show(page, stage) {
      await asCustomer(page, stage)
      await readyToPay(page, 'prd_night-light')
      await page.route('**/api/orders', (route) => route.abort())
      await pay(page)
      await page.getByText('The shop does not answer yet.').waitFor()
    },
  },
  {
    name: 'checkout-empty',
    async show(page) {
      await page.goto('/checkout')
      await heading(page, 'There is nothing to pay for.')
    },
  },
]
