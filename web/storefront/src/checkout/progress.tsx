/** Owns what is said while an order is placed, and when it was refused. */
import { Link } from 'react-router'
import type { ProblemDocument } from '../api/ask.ts'
import { Notice } from '../parts/notice.tsx'
import type { ProgressState } from './use-placing.ts'

export function Progress({ state }: { state: ProgressState }) {
  return (
    <div role="status" className="mt-4 text-soft">
      {state.kind === 'sending' && 'One moment: the stock is set aside and your card is asked.'}
      {state.kind === 'waiting' && (
        <Notice title="The shop does not answer yet.">
          We go on asking. It stays one order however often it is sent, and you may leave this page:
          your cart and your order are kept.
        </Notice>
      )}
    </div>
  )
}

/** A refusal that is not the card's (card-choice.tsx says those). */
export function Refused({
  refusal,
  again,
}: {
  refusal: ProblemDocument | undefined
  again: () => Promise<void>
}) {
  if (refusal === undefined || refusal.code === 'payment_declined') return null
  const { title, text } = wordsOf(refusal)
  return (
    <div role="alert" className="mt-5">
      <Notice tone="bad" title={title}>
        {text}{' '}
        {refusal.code === 'signed_out' && (
          <Link to="/log-in?to=/checkout" className="font-semibold underline underline-offset-4">
            Log in
          </Link>
        )}
        {refusal.status === 409 && (
          <button
            type="button"
            className="font-semibold underline underline-offset-4"
            onClick={() => void again()}
          >
            Look again
          </button>
        )}
      </Notice>
    </div>
  )
}

const WORDS: Record<string, { title: string; text: string }> = {
  insufficient_stock: {
    title: 'Somebody was faster.',
    text: 'There is not enough left of what is marked above. Nothing was charged.',
  },
  product_unavailable: {
    title: 'Something in it is not sold any more.',
    text: 'It is marked above. Nothing was charged.',
  },
  price_changed: {
    title: 'A price has changed.',
    text: 'It is marked above. Nothing was charged: look at it, and pay if you still like it.',
  },
  amount_too_large: {
    title: 'That is more than a card can be charged with.',
    text: 'Order it in parts. Nothing was charged.',
  },
  order_canceled: { title: 'This order was canceled.', text: 'Nothing was charged.' },
  signed_out: {
    title: 'You are not logged in any more.',
    text: 'Your cart and what you typed are kept.',
  },
  no_answer: {
    title: 'The shop does not answer.',
    text: 'Nothing was ordered. Try again in a moment: all that you typed is kept.',
  },
  invalid: {
    title: 'Something in the form is not right.',
    text: 'Look at what is marked.',
  },
}

function wordsOf({ code, title, detail }: ProblemDocument): { title: string; text: string } {
  return WORDS[code] ?? { title: `${title}.`, text: detail ?? 'Nothing was charged.' }
}
