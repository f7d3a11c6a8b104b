/** Owns what products publishes, and what it does when orders and users have something to say. */
import type { Erasure } from '@quartet/kit/erasure'
import type { NewEvent } from '@quartet/kit/events'
import type { SubscriptionOptions } from '@quartet/kit/subscription'
import { z } from 'zod'
import type { Dependencies } from './actions.ts'
import { sell } from './commands/reservations.ts'
import type { Product } from './domain.ts'

const CHANGED = {
  created: 'product.created.v1',
  updated: 'product.updated.v1',
  archived: 'product.archived.v1',
} as const
type Change = keyof typeof CHANGED

/** Said with the whole product as it is now, so that a reader needs no other event to know it. */
export function productChanged(change: Change, product: Product): NewEvent {
  const { id, name, description, category, priceAmount, priceCurrency, status, version } = product
  const price = { amount: priceAmount, currency: priceCurrency }
  return {
    type: CHANGED[change],
    subject: id,
    data: { product_id: id, name, description, category, price, status, version },
  }
}

/** Said when the last available unit of a product is taken. */
export function stockDepleted(productId: string): NewEvent {
  return { type: 'stock.depleted.v1', subject: productId, data: { product_id: productId } }
}

// As much of `order.confirmed.v1` as a sale needs; readers tolerate the rest.
const confirmed = z.object({ order_id: z.string() })

/** Reads orders: one that is confirmed turns its reservation into a sale (rule 11). */
export function ordersSubscription(
  world: Dependencies,
  baseUrl: string,
  token: (scope: string) => Promise<string>,
): SubscriptionOptions {
  return {
    source: 'orders',
    baseUrl,
    token,
    types: ['order.confirmed.v1'],
    // Nobody waits for a sale to be booked.
    gatherMs: 250,
    apply: (tx, events) =>
      sell(
        world,
        tx,
        events.map(({ data }) => confirmed.parse(data).order_id),
      ),
  }
}

/** Reads users: who was erased opens nothing here any more, and the answers kept for an admin go (rule 22). */
export const usersSubscription = (
  erasure: Pick<Erasure, 'subscription'>,
  baseUrl: string,
  token: (scope: string) => Promise<string>,
): SubscriptionOptions =>
  erasure.subscription({ source: 'users', baseUrl, token, types: ['user.erased.v1'] })
