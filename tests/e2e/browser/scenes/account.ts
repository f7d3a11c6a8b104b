/** Owns the scenes of the account. */
import { asCustomer, heading, type Scene } from './scene.ts'

export const account: Scene[] = [
  {
    name: 'log-in',
    async show(page) {
      await page.goto('/log-in')
      await heading(page, 'Log in')
    },
  },
  {
    name: 'log-in-wrong',
    async show(page) {
      await page.goto('/log-in')
      await page.getByLabel('E-mail').fill('nobody@example.com')
      await page.getByLabel('Password').fill('wrong')
      await page.getByRole('button', { name: 'Log in' }).click()
      await page.getByText('do not fit together').waitFor()
    },
  },
  {
    name: 'register-errors',
    async show(page) {
      await page.goto('/register')
      await page.getByLabel('E-mail').fill('ada')
      await page.getByRole('button', { name: 'Make the account' }).click()
      await page.getByText('8 characters or more').waitFor()
    },
  },
  {
    name: 'account',
    async show(page, stage) {
      await asCustomer(page, stage)
      await heading(page, /Hello/)
      await page.getByLabel('Name').waitFor()
    },
  },
  {
    name: 'account-erase-asked',
    async show(page, stage) {
      await asCustomer(page, stage)
      await page.getByRole('button', { name: 'Erase my account' }).click()
      await heading(page, 'Erase it for good?')
    },
  },
]
