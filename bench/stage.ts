/** Owns the stage: a shop of its own with products and customers, and what may be asked of it. */
import assert from 'node:assert/strict'
import { call, inParallel, newProduct, openShop, type TestShop } from '../tests/e2e/shop.ts'
import type { Generator, Load } from './load.ts'

export type Stage = {
  at: TestShop
  generator: Generator
  /** Ids, all of one price and of endless stock. */
  products: string[]
  /** Access tokens, one a customer. */
  tokens: string[]
}

const PRODUCTS = 1_000
const STOCK = 100_000_000

/** Opens a shop, fills its shelves and registers its customers. */
export async function openStage(options: {
  generator: Generator
  oneProcess: boolean
  customers: number
}): Promise<Stage> {
  const { generator, oneProcess, customers } = options
  const at = await openShop({ oneProcess })
  try {
    const ids = Array.from({ length: PRODUCTS }, (_, n) => `bench-${n}`)
    const products = await inParallel(ids.length, 16, (n) => newProduct(at, String(ids[n]), STOCK))
    // Passwords are hashed one at a time: more at once would only wait.
    const tokens = await inParallel(customers, 2, () => at.newCustomer())
    return { at, generator, products, tokens }
  } catch (error) {
    await at.close()
    throw error
  }
}

/** An order as a customer places it. */
export const orderBody = (product: string) => ({
  line_items: [{ product_id: product, quantity: 1 }],
  payment_method: 'pm_card_visa',
})

export type Way = 'direct' | 'gateway'

/** Requests but for how many of them. */
export type Requests = Omit<Load, 'connections' | 'seconds' | 'keyPrefix'>

const originOf = ({ at }: Stage, service: 'orders' | 'products', way: Way) =>
  way === 'direct'
    ? { origin: at.shop.urls[service], prefix: '' }
    : { origin: at.shop.urls.gateway, prefix: '/api' }

/** Checkouts of one unit of each of these products in turn, by every customer in turn. */
export function checkoutsOf(stage: Stage, products: readonly string[], way: Way): Requests {
  const { origin, prefix } = originOf(stage, 'orders', way)
  return {
    origin,
    method: 'POST',
    paths: [`${prefix}/orders`],
    headers: stage.tokens.map((token) => ({
      'Content-Type': 'application/json',
      Authorization: `Bearer ${token}`,
    })),
    bodies: products.map((product) => JSON.stringify(orderBody(product))),
    countStatuses: true,
  }
}

/** Reads of all products in turn. */
export function readsOf(stage: Stage, way: Way): Requests {
  const { origin, prefix } = originOf(stage, 'products', way)
  const paths = stage.products.map((id) => `${prefix}/products/${id}`)
  return { origin, method: 'GET', paths, headers: [], bodies: [] }
}

/** The shop with a new token for its admin: a run may outlast the first one. */
export async function withFreshAdmin({ at }: Stage): Promise<TestShop> {
  const { email, password } = at.shop.credentials.admin
  const { status, body } = await call(`${at.shop.urls.users}/sessions`, {
    body: { email, password },
  })
  assert.equal(status, 201)
  return { ...at, admin: String(body['access_token']) }
}
