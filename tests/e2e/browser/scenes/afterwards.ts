/** Owns the scenes of what comes after an order. */
import { confirmed } from '../visit.ts'
import { asCustomer, heading, orderOf, type Scene } from './scene.ts'

export const afterwards: Scene[] = [
  {
    name: 'order-completing',
    async show(page, stage) {
      await page.route('**/api/orders', async (route) => {
        const answer = await route.fetch()
        if (route.request().method() !== 'POST') return route.fulfill({ response: answer })
        const order = { ...((await answer.json()) as object), status: 'pending' }
        return route.fulfill({ status: 202, json: { ...order, payment_status: 'processing' } })
      })
      await page.route('**/api/orders/*/**', (route) => route.abort())
      await page.route('**/api/orders/*', (route) => route.abort())
      await orderOf(page, stage)
      await heading(page, 'We have your order.')
    },
  },
  {
    name: 'order-confirmed',
    async show(page, stage) {
      await orderOf(page, stage)
      await confirmed(page)
    },
  },
  {
    name: 'order-to-be-paid',
    async show(page, stage) {
      await orderOf(page, stage, 'Pay later')
      await heading(page, 'Set aside for you.')
    },
  },
  {
    name: 'order-cancel-asked',
    async show(page, stage) {
      await orderOf(page, stage)
      await page.getByRole('button', { name: 'Cancel the order' }).click()
      await heading(page, 'Cancel this order?')
    },
  },
  {
    name: 'order-refunded',
    async show(page, stage) {
      await orderOf(page, stage)
      await page.getByRole('button', { name: 'Cancel the order' }).click()
      await page.getByRole('button', { name: 'Cancel it' }).click()
      await page.getByText('on its way back').waitFor()
    },
  },
  {
    name: 'order-not-yours',
    async show(page, stage) {
      await asCustomer(page, stage)
      await page.goto('/orders/ord_somebodys')
      await heading(page, 'This order is not here.')
    },
  },
  {
    name: 'receipt',
    async show(page, stage) {
      await orderOf(page, stage)
      await page.getByRole('link', { name: 'Receipt' }).click()
      await page.getByRole('cell').first().waitFor()
    },
  },
  {
    name: 'orders',
    async show(page, stage) {
      await orderOf(page, stage)
      await page.goto('/orders')
      await page.getByRole('heading', { level: 2 }).first().waitFor()
    },
  },
  {
    name: 'orders-signed-out',
    async show(page) {
      await page.goto('/orders')
      await heading(page, 'Whose orders?')
    },
  },
]
