/** Proves in a real browser that trouble never makes two orders, never loses a cart, and is told kindly. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import type { Page } from 'playwright-core'
import { openNeighbour, type Neighbour } from '../neighbour.ts'
import { call, until } from '../shop.ts'
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

// Each stands between the gateway, or orders, and the service it is named after.
const between = new Map<string, Neighbour>()
const neighbour = (name: string): Neighbour => {
  const found = between.get(name)
  assert.ok(found)
  return found
}

const stage = openStage(async () => {
  for (const name of ['users', 'products', 'payments']) between.set(name, await openNeighbour())
  return {
    env: {
      gateway: { USERS_URL: neighbour('users').url, PRODUCTS_URL: neighbour('products').url },
      orders: { PAYMENTS_URL: neighbour('payments').url },
    },
    onOpen: ({ shop }) => {
      for (const name of ['users', 'products', 'payments'] as const) {
        neighbour(name).lead(shop.urls[name])
      }
    },
  }
})
after(() => Promise.all(Array.from(between.values(), (each) => each.close())))

let buyers = 0

/** A customer of its own, whose orders are all that this test has made. */
async function newBuyer({ at, visitor }: Stage) {
  buyers += 1
  const account = { email: `in-trouble-${buyers}@example.com`, password: 'a-long-password' }
  const { body } = await call(`${at.shop.urls.users}/users`, { body: { ...account, name: 'Ada' } })
  const made = await visitor()
  await logIn(made.page, account)
  const orders = async () => {
    const url = `${at.shop.urls.orders}/orders?owner_id=${String(body['id'])}`
    return (await call(url, { token: at.admin })).body['data'] as { id: string; status: string }[]
  }
  return { ...made, orders }
}

const heading = (page: Page, name: string) => page.getByRole('heading', { name })

browserTest(
  stage,
  'payments is killed: the order is taken, said to be completed, and completes before one’s eyes',
  async (at) => {
    const { page, orders } = await newBuyer(at)
    await readyToPay(page, 'prd_camp-stove')
    await neighbour('payments').behave('dead')
    at.at.shop.kill('payments', 'SIGKILL')
    await pay(page)
    const id = await arriveAtOrder(page)
    await heading(page, 'We have your order.').waitFor()
    await page.getByText('you will not be charged twice').waitFor()
    await neighbour('payments').behave('well')
    await confirmed(page)
    assert.deepEqual(
      (await orders()).map((order) => [order.id, order.status]),
      [[id, 'confirmed']],
    )
  },
)

/** Cancels from elsewhere, as a person in the back office would. */
const cancelElsewhere = ({ at }: Stage, id: string) =>
  call(`${at.shop.urls.orders}/orders/${id}/cancel`, { method: 'POST', token: at.admin })

/** An order that waits to be paid, and how often its page has asked after it. */
async function waitingOrder(at: Stage) {
  const { page } = await newBuyer(at)
  await readyToPay(page, 'prd_night-light', 'Pay later')
  let asked = 0
  page.on('request', (request) => {
    if (/\/api\/orders\/[^/]+$/.test(request.url())) asked += 1
  })
  await page.getByRole('button', { name: 'Order now, pay later' }).click()
  const id = await arriveAtOrder(page)
  await heading(page, 'Set aside for you.').waitFor()
  return { page, id, asked: () => asked }
}

browserTest(stage, 'an order’s page is told what happens, and does not ask', async (at) => {
  const { page, id, asked } = await waitingOrder(at)
  await page.waitForTimeout(3_000) // the stream is open, and a page that asks would have asked
  const before = asked()
  await page.waitForTimeout(3_000)
  await cancelElsewhere(at, id)
  await heading(page, 'This order was canceled.').waitFor()
  assert.equal(asked(), before)
})

browserTest(stage, 'an order’s page asks where nobody tells', async (at) => {
  const { page, id } = await waitingOrder(at)
  await page.route('**/events', (route) => route.abort())
  await page.reload()
  await heading(page, 'Set aside for you.').waitFor()
  await cancelElsewhere(at, id)
  await heading(page, 'This order was canceled.').waitFor()
})

browserTest(
  stage,
  'seven tabs of one order all work, and one that is looked at again knows what happened',
  async (at) => {
    const { page, id } = await waitingOrder(at)
    const context = page.context()
    // A browser without a screen takes every tab for seen.
    await context.addInitScript(`
      let state = 'visible'
      Object.defineProperty(document, 'visibilityState', { get: () => state })
      window.look = (seen) => {
        state = seen
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
      }`)
    const look = (tab: Page, seen: string) => tab.evaluate(`look('${seen}')`)
    await page.reload()
    const tabs = [page]
    while (tabs.length < 7) {
      const tab = await context.newPage()
      await look(tabs.at(-1)!, 'hidden')
      await tab.goto(`/orders/${id}`)
      await heading(tab, 'Set aside for you.').waitFor()
      tabs.push(tab)
    }
    await cancelElsewhere(at, id)
    await heading(tabs[6]!, 'This order was canceled.').waitFor()
    await look(tabs[6]!, 'hidden')
    await look(page, 'visible')
    await heading(page, 'This order was canceled.').waitFor()
  },
)

browserTest(stage, 'a double click is one order', async (at) => {
  const { page, orders } = await newBuyer(at)
  await readyToPay(page, 'prd_head-torch')
  await page.getByRole('button', { name: /^Pay \$/ }).dblclick()
  await arriveAtOrder(page)
  await confirmed(page)
  assert.equal((await orders()).length, 1)
})

browserTest(stage, 'two tabs that pay at once are one order, and both show it', async (at) => {
  const { page, orders } = await newBuyer(at)
  await readyToPay(page, 'prd_folding-saw', 'after 3 seconds')
  const second = await page.context().newPage()
  await second.goto('/checkout')
  await fillAddress(second)
  await choose(second, 'after 3 seconds')
  await Promise.all([pay(page), pay(second)])
  const ids = await Promise.all([arriveAtOrder(page), arriveAtOrder(second)])
  await Promise.all([confirmed(page), confirmed(second)])
  assert.equal(ids[0], ids[1])
  assert.equal((await orders()).length, 1)
})

browserTest(
  stage,
  'a guest who pays in two tabs at once is one guest with one order',
  async (at) => {
    const { page } = await at.visitor()
    await readyToPay(page, 'prd_repair-manual', 'after 3 seconds')
    await page.getByLabel('E-mail').fill('two-tabs@example.com')
    const second = await page.context().newPage()
    await second.goto('/checkout')
    await fillAddress(second)
    await second.getByLabel('E-mail').fill('two-tabs@example.com')
    await choose(second, 'after 3 seconds')
    await Promise.all([pay(page), pay(second)])
    const ids = await Promise.all([arriveAtOrder(page), arriveAtOrder(second)])
    await Promise.all([confirmed(page), confirmed(second)])
    assert.equal(ids[0], ids[1])
    const url = `${at.at.shop.urls.users}/users?email=two-tabs@example.com`
    const { body } = await call(url, { token: at.at.admin })
    assert.equal((body['data'] as unknown[]).length, 1)
  },
)

browserTest(stage, 'what one tab puts into the cart is in the other’s', async (at) => {
  const { page } = await newBuyer(at)
  await page.goto('/cart')
  await heading(page, 'Your cart is empty.').waitFor()
  const second = await page.context().newPage()
  await putIntoCart(second, 'prd_paper-tray')
  await page.getByRole('link', { name: 'Steel paper tray' }).first().waitFor()
})

browserTest(
  stage,
  'an answer that was lost is asked for again by the same key: one order',
  async (at) => {
    const { page, orders } = await newBuyer(at)
    await readyToPay(page, 'prd_wool-blanket')
    const keys: string[] = []
    await page.route('**/api/orders', async (route) => {
      keys.push(route.request().headers()['idempotency-key'] ?? '')
      if (keys.length > 2) return route.continue()
      await route.fetch() // the shop has taken it …
      return route.abort('connectionreset') // … and nobody hears of it
    })
    await pay(page)
    await page.getByText('The shop does not answer yet.').waitFor()
    const id = await arriveAtOrder(page)
    await confirmed(page)
    assert.equal(new Set(keys).size, 1)
    assert.deepEqual(
      (await orders()).map((order) => order.id),
      [id],
    )
  },
)

browserTest(stage, 'a reload in the middle goes on with the order that was sent', async (at) => {
  const { page, orders } = await newBuyer(at)
  await readyToPay(page, 'prd_two-person-tent')
  let isHeld = true
  await page.route('**/api/orders', async (route) => {
    if (!isHeld) return route.continue()
    await route.fetch()
    return undefined // never answered: the reload comes first
  })
  await pay(page)
  await until(async () => (await orders()).length === 1, 10_000)
  isHeld = false
  await page.reload()
  await arriveAtOrder(page)
  await confirmed(page)
  assert.equal((await orders()).length, 1)
})

browserTest(
  stage,
  'a tab that was closed in the middle leaves a way back to the order',
  async (at) => {
    const { page, orders } = await newBuyer(at)
    await readyToPay(page, 'prd_trail-backpack')
    await page.route('**/api/orders', async (route) => {
      await route.fetch()
    })
    await pay(page)
    await until(async () => (await orders()).length === 1, 10_000)
    const next = await page.context().newPage()
    await page.close()
    await next.goto('/')
    await next.getByRole('link', { name: 'See what became of it' }).click()
    await arriveAtOrder(next)
    await confirmed(next)
    assert.equal((await orders()).length, 1)
  },
)

browserTest(stage, 'the back button after an order leads to no second one', async (at) => {
  const { page, orders } = await newBuyer(at)
  await readyToPay(page, 'prd_silk-scarf')
  await pay(page)
  const id = await arriveAtOrder(page)
  await confirmed(page)
  await page.goBack()
  await page.goto('/checkout')
  await heading(page, 'There is nothing to pay for.').waitFor()
  await page.getByRole('link', { name: 'Look at your order' }).click()
  assert.equal(await arriveAtOrder(page), id)
  assert.equal((await orders()).length, 1)
})

browserTest(
  stage,
  'a connection that is lost while paying loses nothing, and the order goes through after it',
  async (at) => {
    const { page, orders } = await newBuyer(at)
    await readyToPay(page, 'prd_linen-shirt')
    await page.context().setOffline(true)
    await pay(page)
    await page.getByText('The shop does not answer yet.').waitFor()
    assert.equal(await page.getByLabel('Town or city').inputValue(), 'Leipzig')
    await page.context().setOffline(false)
    await arriveAtOrder(page)
    await confirmed(page)
    assert.equal((await orders()).length, 1)
  },
)

browserTest(stage, 'what was typed into the checkout outlives a reload', async (at) => {
  const { page } = await newBuyer(at)
  await readyToPay(page, 'prd_rain-parka', 'Mastercard ·· 4444')
  await page.reload()
  assert.equal(await page.getByLabel('Town or city').inputValue(), 'Leipzig')
  assert.equal(await page.getByLabel('Country').inputValue(), 'DE')
  assert.ok(await page.getByLabel('Mastercard ·· 4444').isChecked())
})

browserTest(
  stage,
  'products is down: what was seen is shown and marked, also after a reload',
  async (at) => {
    const visitor = await at.visitor()
    const { page } = visitor
    await putIntoCart(page, 'prd_fountain-pen')
    await page.goto('/shop/Office')
    await page.getByRole('link', { name: 'Dot-grid notebook' }).waitFor()
    await page.waitForTimeout(1_500) // what is seen is written down within a second
    await neighbour('products').behave('dead')
    try {
      await page.reload()
      await page.getByRole('link', { name: 'Dot-grid notebook' }).waitFor()
      await page.getByText('The catalog does not answer right now.').waitFor()
      await page.goto('/products/prd_fountain-pen')
      await page.getByText('when it was last known').waitFor()
      await page.goto('/cart')
      await page.getByRole('link', { name: 'Fountain pen' }).first().waitFor()
      await page.goto('/products/prd_dry-bag')
      await page.getByRole('button', { name: 'Try again' }).waitFor()
    } finally {
      await neighbour('products').behave('well')
    }
    await page.getByRole('button', { name: 'Try again' }).click()
    await heading(page, 'Roll-top dry bag, 20 l').waitFor()
    assertQuiet(visitor)
  },
)

browserTest(stage, 'users is down: who is logged in stays so, and buys', async (at) => {
  const { page, orders } = await newBuyer(at)
  await page.goto('/account')
  await heading(page, 'Hello, Ada.').waitFor()
  await page.waitForTimeout(1_500)
  await neighbour('users').behave('dead')
  try {
    await readyToPay(page, 'prd_ink-and-paper')
    await page.goto('/account')
    await heading(page, 'Hello, Ada.').waitFor()
    await page.getByText('You stay logged in').waitFor()
    await page.goto('/checkout')
    await pay(page)
    await arriveAtOrder(page)
    await confirmed(page)
    assert.equal((await orders()).length, 1)
  } finally {
    await neighbour('users').behave('well')
  }
})

browserTest(stage, 'no script of the page can reach a token', async (at) => {
  const { page } = await newBuyer(at)
  await page.goto('/account')
  await heading(page, 'Hello, Ada.').waitFor()
  const seen = await page.evaluate<string>(
    'document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)',
  )
  assert.doesNotMatch(seen, /eyJ|rt_|quartet_/)
  const cookies = await page.context().cookies()
  assert.deepEqual(
    cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite })).toSorted(byName),
    [
      { name: 'quartet_access', httpOnly: true, sameSite: 'Strict' },
      { name: 'quartet_refresh', httpOnly: true, sameSite: 'Strict' },
    ],
  )
  const response = await page.goto('/')
  const policy = response?.headers()['content-security-policy'] ?? ''
  assert.match(policy, /default-src 'self'/)
  assert.doesNotMatch(policy, /unsafe/)
})

const byName = (one: { name: string }, other: { name: string }) =>
  one.name.localeCompare(other.name)
