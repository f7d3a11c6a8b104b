/** Owns what a scene is, and the steps that lead to one. */
import type { Page } from 'playwright-core'
import { arriveAtOrder, logIn, readyToPay, type Stage } from '../visit.ts'

/** A page that somebody stands before; `show` leads there. */
export type Scene = { name: string; show: (page: Page, stage: Stage) => Promise<void> }

export const heading = (page: Page, name: string | RegExp): Promise<void> =>
  page.getByRole('heading', { name }).waitFor()

/** Answers a request as a service that is down would. */
export const fail = (page: Page, path: string) =>
  page.route(path, (route) => route.fulfill({ status: 503, json: { title: 'down', code: 'down' } }))

export const asCustomer = (page: Page, { at }: Stage): Promise<void> =>
  logIn(page, at.shop.credentials.customer)

export async function orderOf(page: Page, stage: Stage, card?: string): Promise<string> {
  await asCustomer(page, stage)
  await readyToPay(page, 'prd_night-light', card)
  await page.getByRole('button', { name: /^(Pay \$|Order now)/ }).click()
  return arriveAtOrder(page)
}
