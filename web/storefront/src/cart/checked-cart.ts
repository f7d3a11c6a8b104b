/** Owns the cart as it stands now: its lines against the prices and the stock that the shop has. */
import { useQueries } from '@tanstack/react-query'
import { Refusal } from '../api/ask.ts'
import type { Money } from '../api/contracts.ts'
import { useKeptSinceMs } from '../api/kept-copy.ts'
import { productQuery } from '../api/queries.ts'
import { useCart } from './cart-store.ts'
import { checkCart, totalOf, type CheckedLine, type Known } from './check.ts'

/** Somebody who looks at the cart wants to know what is so, not what was. */
const LOOK_AGAIN_MS = 20_000

export type CheckedCart = {
  lines: CheckedLine[]
  total: Money | undefined
  /** Nobody has said yet what some of it costs now. */
  isLoading: boolean
  /** The catalog does not answer: what is shown is older. */
  isStale: boolean
  hasTrouble: boolean
  again: () => Promise<void>
}

export function useCheckedCart(): CheckedCart {
  const { lines } = useCart()
  const keptSinceMs = useKeptSinceMs()
  const asked = useQueries({
    queries: lines.map(({ product_id }) => ({
      ...productQuery(product_id),
      refetchInterval: LOOK_AGAIN_MS,
    })),
  })
  const known = new Map(lines.map(({ product_id }, place) => [product_id, knownOf(asked[place])]))
  const checked = checkCart(lines, (id) => known.get(id))
  return {
    lines: checked,
    total: totalOf(checked),
    isLoading: asked.some(({ isPending }) => isPending),
    isStale:
      keptSinceMs !== undefined ||
      asked.some(({ isError, error }) => isError && !(error instanceof Refusal)),
    hasTrouble: checked.some(({ trouble }) => trouble !== undefined),
    again: async () => {
      await Promise.all(asked.map(({ refetch }) => refetch()))
    },
  }
}

type Asked = { data: Known; error: unknown } | undefined

function knownOf(asked: Asked): Known {
  if (asked?.error instanceof Refusal && asked.error.status === 404) return 'gone'
  return asked?.data
}
