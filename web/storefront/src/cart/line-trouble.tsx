/** Owns what is said of a line that cannot be ordered as it is, and the one click that mends it. */
import type { ReactNode } from 'react'
import { formatMoney } from '../parts/money.ts'
import { acceptPrice, removeLine, setQuantity } from './cart.ts'
import { changeCart } from './cart-store.ts'
import type { CheckedLine, Trouble } from './check.ts'

export function LineTrouble({ line: { line, trouble } }: { line: CheckedLine }) {
  if (trouble === undefined) return null
  const { words, mend, how } = mending(line.product_id, trouble)
  return (
    <div className="mt-3 flex flex-wrap items-center justify-between gap-x-4 gap-y-1 rounded-small bg-wash px-3.5 py-2 text-[0.97rem] text-on-wash">
      <span>{words}</span>
      <button
        type="button"
        className="min-h-11 font-semibold underline underline-offset-4"
        onClick={mend}
      >
        {how}
      </button>
    </div>
  )
}

type Mending = { words: ReactNode; how: string; mend: () => void }

function mending(productId: string, trouble: Trouble): Mending {
  const remove = () => void changeCart((cart) => removeLine(cart, productId))
  switch (trouble.kind) {
    case 'gone':
      return { words: 'This is not sold any more.', how: 'Take it out', mend: remove }
    case 'sold_out':
      return { words: 'Sold out since you chose it.', how: 'Take it out', mend: remove }
    case 'other_currency':
      return {
        words: 'This is sold in another currency than the rest: order it by itself.',
        how: 'Take it out',
        mend: remove,
      }
    case 'short': {
      const { available } = trouble
      return {
        words: available === 1 ? 'Only one is left.' : `Only ${available} are left.`,
        how: available === 1 ? 'Take that one' : `Take ${available}`,
        mend: () => void changeCart((cart) => setQuantity(cart, productId, available)),
      }
    }
    case 'price_changed': {
      const { from, to } = trouble
      const way = to.amount > from.amount ? 'more' : 'less'
      return {
        words: `It costs ${way} now: ${formatMoney(to)} instead of ${formatMoney(from)}.`,
        how: 'Keep it at this price',
        mend: () => void changeCart((cart) => acceptPrice(cart, productId, to)),
      }
    }
  }
}
