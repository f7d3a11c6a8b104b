/** Owns saying that the cart could not be checked just now. */
import { Notice } from '../parts/notice.tsx'

export function CartStaleNotice({ isStale }: { isStale: boolean }) {
  if (!isStale) return null
  return (
    <Notice title="The catalog does not answer right now." className="mb-8">
      Prices and stock are as they were last known. You can order all the same: the order is taken,
      and if a price or the stock has changed it is not charged.
    </Notice>
  )
}
