/** Owns what products publishes. */
import type { NewEvent } from '@quartet/kit/events'
import type { Product } from './domain.ts'

type Change = 'created' | 'updated' | 'archived'

/** Said with the whole product as it is now, so that a reader needs no other event to know it. */
export function productChanged(change: Change, product: Product): NewEvent {
  const { id, name, description, category, priceAmount, priceCurrency, status, version } = product
  const price = { amount: priceAmount, currency: priceCurrency }
  return {
    type: `product.${change}.v1`,
    subject: id,
    data: { product_id: id, name, description, category, price, status, version },
  }
}

/** Said when the last available unit of a product is taken. */
export function stockDepleted(productId: string): NewEvent {
  return { type: 'stock.depleted.v1', subject: productId, data: { product_id: productId } }
}
