/** Owns paying for an order that waits for a card. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ask, NoAnswer, Refusal } from '../api/ask.ts'
import type { Order, Payment } from '../api/contracts.ts'
import { orderQuery } from '../api/queries.ts'
import { CardChoice } from '../checkout/card-choice.tsx'
import { CARDS } from '../checkout/cards.ts'
import { formatMoney } from '../parts/money.ts'
import { Notice } from '../parts/notice.tsx'
import { bankUrl } from './bank-url.ts'

const time = new Intl.DateTimeFormat('en', { hour: 'numeric', minute: '2-digit' })

export function PayNow({ order }: { order: Order }) {
  const client = useQueryClient()
  const [card, setCard] = useState(CARDS[0]?.token ?? '')
  // One key a card and an order: a second click, or a lost answer, is the same payment.
  const [tries, setTries] = useState(0)
  const pay = useMutation({
    mutationFn: () =>
      ask<Payment>('/api/payments', {
        body: { order_id: order.id, payment_method: card, amount: order.total },
        key: `${order.id}-${card}-${tries}`,
      }),
    onSuccess: ({ next_action: action }) => {
      void client.invalidateQueries({ queryKey: orderQuery(order.id).queryKey })
      if (action !== null) window.location.assign(bankUrl(action.url, order.id))
    },
    onError: (error) => {
      if (error instanceof Refusal) setTries(tries + 1)
      void client.invalidateQueries({ queryKey: orderQuery(order.id).queryKey })
    },
  })
  const { error } = pay
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (!pay.isPending) pay.mutate()
      }}
    >
      {order.expires_at !== null && (
        <p className="mb-6">
          It is kept for you until <strong>{time.format(new Date(order.expires_at))}</strong>.
        </p>
      )}
      <CardChoice
        chosen={card}
        canPayLater={false}
        refusal={error instanceof Refusal ? error.problem : undefined}
        onChoose={(token) => setCard(token ?? card)}
      />
      {error instanceof NoAnswer && (
        <div role="alert" className="mt-5">
          <Notice title="The shop does not answer.">
            Try again in a moment. It stays one payment.
          </Notice>
        </div>
      )}
      <button type="submit" className="button button-strong mt-6" disabled={pay.isPending}>
        {pay.isPending
          ? 'One moment …'
          : `Pay ${order.total === null ? '' : formatMoney(order.total)}`}
      </button>
    </form>
  )
}
