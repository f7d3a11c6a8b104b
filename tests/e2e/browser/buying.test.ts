/** Proves in a real browser that one can find something, buy it in every way there is to pay, and take it back. */
import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { call } from '../shop.ts'
import {
  arriveAtOrder,
  assertQuiet,
  browserTest,
  choose,
  confirmed,
  fillAddress,
  logIn,
  openStage,
  pay,
  putIntoCart,
  readyToPay,
  type Stage,
} from './visit.ts'

const stage = openStage()

const orderOf = async ({ at }: Stage, id: string) =>
  (await call(`${at.shop.urls.orders}/orders/${id}`, { token: at.admin })).body

browserTest(stage, 'from the first page to a confirmed order, as a guest', async (at) => {
  const visitor = await at.visitor()
  const { page } = visitor
  await page.goto('/')
  await page.getByRole('link', { name: 'Look around' }).click()
  await page.getByRole('link', { name: 'Kitchen' }).first().click()
  await page.getByRole('link', { name: 'Enamel teapot' }).click()
  await page.getByText(/\d+ in stock/).waitFor()
  await page.getByRole('button', { name: 'One more' }).click()
  await page.getByRole('button', { name: 'Put into the cart' }).click()
  await page.getByRole('link', { name: 'Go to the cart' }).click()
  await page.getByRole('link', { name: 'To the checkout' }).click()
  await page.getByLabel('E-mail').fill('guest@example.com')
  await fillAddress(page)
  await pay(page)
  const id = await arriveAtOrder(page)
  await confirmed(page)
  const order = await orderOf(at, id)
  assert.equal(order['status'], 'confirmed')
  assert.deepEqual(order['total'], { amount: 2 * 3_900, currency: 'USD' })
  await page.getByRole('link', { name: 'Receipt' }).click()
  await page.getByRole('cell', { name: '$78.00' }).first().waitFor()
  assertQuiet(visitor)
})

browserTest(stage, 'a guest claims the account by a password, and logs in with it', async (at) => {
  const { page } = await at.visitor()
  await readyToPay(page, 'prd_bread-book')
  await page.getByLabel('E-mail').fill('claims@example.com')
  await pay(page)
  const id = await arriveAtOrder(page)
  await confirmed(page)
  await page.getByLabel('Password').fill('short')
  await page.getByRole('button', { name: 'Make it mine' }).click()
  await page.getByText('8 characters or more').waitFor()
  await page.getByLabel('Password').fill('a-longer-password')
  await page.getByRole('button', { name: 'Make it mine' }).click()
  await page.getByRole('heading', { name: 'Keep this order' }).waitFor({ state: 'detached' })
  const elsewhere = (await at.visitor()).page
  await logIn(elsewhere, { email: 'claims@example.com', password: 'a-longer-password' })
  await elsewhere.goto(`/orders/${id}`)
  await confirmed(elsewhere)
})

browserTest(stage, 'search suggests as one types, by keyboard alone', async ({ visitor }) => {
  const { page } = await visitor()
  await page.goto('/')
  const box = page.getByRole('combobox', { name: 'Search the shop' })
  await box.pressSequentially('lam')
  await page.getByRole('option', { name: 'Brass desk lamp' }).waitFor()
  await box.press('ArrowDown')
  const chosen = page.getByRole('option', { selected: true })
  const name = (await chosen.locator('span span').first().textContent()) ?? ''
  await box.press('Enter')
  await page.getByRole('heading', { level: 1, name }).waitFor()
  await box.fill('no such thing at all')
  await box.press('Enter')
  await page.getByText('Nothing like that is here.').waitFor()
  await box.fill('teapot')
  await box.press('Enter')
  await page.getByRole('heading', { name: '“teapot”' }).waitFor()
  await page.getByRole('link', { name: 'Enamel teapot' }).waitFor()
})

browserTest(stage, 'a long list is shown part by part, to its end', async ({ visitor }) => {
  const { page } = await visitor()
  await page.goto('/shop')
  const things = page.getByRole('article')
  const more = page.getByRole('button', { name: 'Show more' })
  await more.waitFor()
  const first = await things.count()
  await more.click()
  await things.nth(first).waitFor()
  while (await more.isVisible()) {
    await more.click({ timeout: 2_000 }).catch(() => {}) // the last part may have come meanwhile
  }
  const names = await things.getByRole('heading').allTextContents()
  assert.ok(names.length >= 60, `${names.length} products`)
  assert.equal(new Set(names).size, names.length)
})

browserTest(
  stage,
  'what is shown is narrowed and sorted, and the address keeps it',
  async ({ visitor }) => {
    const { page } = await visitor()
    await page.goto('/shop/Office')
    const first = page.getByRole('article').first()
    await page.getByLabel('Sort').selectOption('price')
    await first.getByRole('heading', { name: 'Dot-grid notebook' }).waitFor()
    await page.getByRole('button', { name: 'Narrow down' }).click()
    await page.getByLabel('From', { exact: true }).fill('50')
    await page.getByLabel('To', { exact: true }).fill('ten')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.getByText('Enter a price as a number').waitFor()
    assert.equal(await page.getByLabel('From', { exact: true }).inputValue(), '50')
    await page.getByLabel('To', { exact: true }).fill('')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await first.getByRole('heading', { name: 'Bamboo monitor stand' }).waitFor()
    await page.reload()
    await first.getByRole('heading', { name: 'Bamboo monitor stand' }).waitFor()
    await page.goBack()
    await first.getByRole('heading', { name: 'Dot-grid notebook' }).waitFor()
  },
)

browserTest(
  stage,
  'a declined card says why and loses nothing; another card buys it',
  async (at) => {
    const { page } = await at.visitor()
    await logIn(page, at.at.shop.credentials.customer)
    const cards = {
      'too little money': 'There is not enough money on this card.',
      'Declined: expired': 'This card has expired.',
      'suspected of fraud': 'Your bank has declined this card.',
    }
    await readyToPay(page, 'prd_steel-bottle')
    for (const [card, words] of Object.entries(cards)) {
      await choose(page, card)
      await pay(page)
      await page.getByRole('alert').getByText(words).waitFor()
      assert.equal(await page.getByLabel('Town or city').inputValue(), 'Leipzig')
    }
    await choose(page, 'Mastercard ·· 4444')
    await pay(page)
    const id = await arriveAtOrder(page)
    await confirmed(page)
    assert.equal((await orderOf(at, id))['payment_method'], 'pm_card_mastercard')
  },
)

browserTest(
  stage,
  '3-D Secure: the buyer confirms at the bank, and the order goes on',
  async (at) => {
    const { page } = await at.visitor()
    await logIn(page, at.at.shop.credentials.customer)
    await readyToPay(page, 'prd_wool-socks', 'confirm at your bank')
    await pay(page)
    await page.getByRole('button', { name: 'Approve' }).click()
    const id = await arriveAtOrder(page)
    await confirmed(page)
    assert.equal((await orderOf(at, id))['status'], 'confirmed')
  },
)

browserTest(
  stage,
  '3-D Secure: who declines at the bank has everything back in the cart by one click',
  async (at) => {
    const { page } = await at.visitor()
    await logIn(page, at.at.shop.credentials.customer)
    await readyToPay(page, 'prd_dry-bag', 'confirm at your bank')
    await pay(page)
    await page.getByRole('button', { name: 'Decline' }).click()
    await arriveAtOrder(page)
    await page.getByRole('heading', { name: 'not confirmed at your bank' }).waitFor()
    await page.getByRole('button', { name: 'Pay with another card' }).click()
    await page.getByText('Roll-top dry bag').waitFor()
    await page.getByRole('button', { name: 'Pay $26.00' }).waitFor()
  },
)

browserTest(stage, 'an order that is paid later is paid on its own page', async (at) => {
  const { page } = await at.visitor()
  await logIn(page, at.at.shop.credentials.customer)
  await readyToPay(page, 'prd_night-light', 'Pay later')
  await page.getByRole('button', { name: 'Order now, pay later' }).click()
  const id = await arriveAtOrder(page)
  await page.getByRole('heading', { name: 'Set aside for you.' }).waitFor()
  await choose(page, 'too little money')
  await pay(page)
  await page.getByRole('alert').getByText('There is not enough money').waitFor()
  await choose(page, 'Visa ·· 4242')
  await pay(page)
  await confirmed(page)
  assert.equal((await orderOf(at, id))['status'], 'confirmed')
})

browserTest(stage, 'an order is canceled by its buyer, and the money goes back', async (at) => {
  const { page } = await at.visitor()
  await logIn(page, at.at.shop.credentials.customer)
  await readyToPay(page, 'prd_cork-stool')
  await pay(page)
  const id = await arriveAtOrder(page)
  await confirmed(page)
  await page.getByRole('button', { name: 'Cancel the order' }).click()
  await page.getByRole('button', { name: 'Keep it' }).click()
  await page.getByRole('button', { name: 'Cancel the order' }).click()
  await page.getByRole('button', { name: 'Cancel it' }).click()
  await page.getByText('Your money is on its way back').waitFor()
  assert.equal((await orderOf(at, id))['payment_status'], 'refunded')
  await page.goto('/orders')
  await page.getByText('Refunded').first().waitFor()
})

browserTest(
  stage,
  'what changed since it was put into the cart is marked, and mended by one click',
  async (at) => {
    const { shop, admin } = at.at
    const url = `${shop.urls.products}/products`
    const price = { amount: 5_000, currency: 'USD' }
    const body = {
      id: 'tst_vase',
      name: 'Vase',
      description: '',
      category: 'Kitchen',
      price,
      stock: 3,
    }
    await call(url, { body, token: admin })
    const { page } = await at.visitor()
    await logIn(page, shop.credentials.customer)
    await page.goto('/products/tst_vase')
    await page.getByText('Only 3 left').waitFor()
    await page.getByRole('button', { name: 'One more' }).click()
    await page.getByRole('button', { name: 'One more' }).click()
    await page.getByRole('button', { name: 'Put into the cart' }).click()
    await page.goto('/checkout')
    await fillAddress(page)
    const dearer = { price: { amount: 6_000, currency: 'USD' } }
    await call(`${url}/tst_vase`, { method: 'PUT', body: dearer, token: admin })
    await pay(page)
    await page.getByText('A price has changed.').waitFor()
    await page.getByText('It costs more now: $60.00 instead of $50.00.').waitFor()
    await page.getByRole('button', { name: 'Keep it at this price' }).click()
    await call(`${url}/tst_vase/stock`, { body: { quantity: -2 }, token: admin })
    await pay(page)
    await page.getByText('Somebody was faster.').waitFor()
    await page.getByRole('button', { name: 'Take that one' }).click()
    await page.getByRole('button', { name: 'Pay $60.00' }).click()
    await arriveAtOrder(page)
    await confirmed(page)
  },
)

browserTest(
  stage,
  'a product or an order that is not there, or is another’s, says so and shows the way on',
  async (at) => {
    const { page } = await at.visitor()
    await page.goto('/products/prd_nothing')
    await page.getByRole('heading', { name: 'This is not here.' }).waitFor()
    await page.getByRole('link', { name: 'Look at everything' }).waitFor()
    await page.goto('/no/such/page')
    await page.getByRole('heading', { name: 'There is nothing at this address.' }).waitFor()
    await page.goto('/orders/ord_somebodys')
    await page.getByRole('heading', { name: 'Whose order is it?' }).waitFor()
    const { customer } = at.at.shop.credentials
    const owner = (await at.visitor()).page
    await logIn(owner, customer)
    await readyToPay(owner, 'prd_wall-calendar')
    await pay(owner)
    const id = await arriveAtOrder(owner)
    await logIn(page, at.at.shop.credentials.admin)
    await page.goto('/orders/ord_somebodys')
    await page.getByRole('heading', { name: 'This order is not here.' }).waitFor()
    const other = (await at.visitor()).page
    await register(other, 'Eve')
    await other.goto(`/orders/${id}`)
    await other.getByRole('heading', { name: 'This order is not here.' }).waitFor()
  },
)

browserTest(stage, 'the cart waits in this browser, also for who is logged out', async (at) => {
  const { page } = await at.visitor()
  await putIntoCart(page, 'prd_felt-hat')
  await logIn(page, at.at.shop.credentials.customer)
  await page.getByRole('button', { name: 'Log out' }).click()
  await arriveAtHome(page)
  await page.goto('/cart')
  await page.getByRole('link', { name: 'Felt hat' }).first().waitFor()
})

browserTest(
  stage,
  'an account that is erased is gone, and its owner stands at the door',
  async (at) => {
    const { page } = await at.visitor()
    await register(page, 'Grace')
    await page.getByRole('button', { name: 'Erase my account' }).click()
    await page.getByRole('button', { name: 'Erase it' }).click()
    await arriveAtHome(page)
    await page.goto('/account')
    await page.waitForURL((url) => url.pathname === '/log-in')
  },
)

async function register(page: Page, name: string): Promise<void> {
  await page.goto('/register')
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('E-mail').fill(`${name.toLowerCase()}@example.com`)
  await page.getByLabel('Password').fill('has-a-long-password')
  await page.getByRole('button', { name: 'Make the account' }).click()
  await page.waitForURL((url) => url.pathname === '/account')
}

/** Logged out, and shown the first page: an address alone may be passed on the way elsewhere. */
async function arriveAtHome(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Log in' }).first().waitFor()
  await page.getByRole('heading', { name: 'Things worth holding on to.' }).waitFor()
  assert.equal(new URL(page.url()).pathname, '/')
}
