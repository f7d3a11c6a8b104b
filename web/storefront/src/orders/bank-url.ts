/** Owns the address at which a buyer confirms a payment, and comes back from. */

/** The provider's page for this payment; from there it is back to the order. */
export function bankUrl(url: string, orderId: string): string {
  const target = new URL(url)
  target.searchParams.set('return_to', new URL(`/orders/${orderId}`, window.location.href).href)
  return target.href
}
