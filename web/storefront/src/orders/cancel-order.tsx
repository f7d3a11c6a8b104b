/** Owns canceling an order: asked once more, done once. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { ask, Refusal } from '../api/ask.ts'
import type { Order } from '../api/contracts.ts'
import { newKey } from '../api/key.ts'
import { orderQuery } from '../api/queries.ts'
import { Confirm } from '../parts/confirm.tsx'

export function CancelOrder({ order }: { order: Order }) {
  const client = useQueryClient()
  const [key] = useState(newKey)
  const cancel = useMutation({
    mutationFn: () =>
      ask<Order>(`/api/orders/${encodeURIComponent(order.id)}/cancel`, { method: 'POST', key }),
    onSuccess: (canceled) => {
      client.setQueryData(orderQuery(order.id).queryKey, canceled)
      void client.invalidateQueries({ queryKey: ['orders'] })
      void client.invalidateQueries({ queryKey: ['product'] })
    },
  })
  return (
    <Confirm
      ask="Cancel the order"
      title="Cancel this order?"
      yes="Cancel it"
      no="Keep it"
      isBusy={cancel.isPending}
      failure={failureOf(cancel.error)}
      onYes={() => cancel.mutate()}
    >
      {order.status === 'confirmed'
        ? 'You get everything back on your card, and what was set aside goes back on the shelf.'
        : 'Nothing will be charged, and what was set aside goes back on the shelf.'}
    </Confirm>
  )
}

function failureOf(error: Error | null): string | undefined {
  if (error === null) return undefined
  return error instanceof Refusal
    ? 'It has left us already and cannot be canceled any more.'
    : 'The shop does not answer. Try again in a moment.'
}
