/** Owns an order that lives on the page: told by the shop as it changes, asked for where nobody tells. */
import { focusManager, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import { useEffect, useState, useSyncExternalStore } from 'react'
import { Refusal } from '../api/ask.ts'
import type { Order } from '../api/contracts.ts'
import { orderQuery } from '../api/queries.ts'
import { isMoving, isOver } from './story.ts'

/** What the shop calls the moments of an order (ARCHITECTURE.md, Events). */
const MOMENTS = ['placed', 'action_required', 'confirmed', 'completed', 'canceled']
const ASK_EVERY_MS = 2_000
const ASK_SELDOM_MS = 15_000

const onSeen = (tell: () => void) => focusManager.subscribe(tell)
const isSeen = () => focusManager.isFocused()

export function useLiveOrder(id: string): UseQueryResult<Order> {
  const client = useQueryClient()
  const [isTold, setTold] = useState(false)
  const result = useQuery({
    ...orderQuery(id),
    refetchInterval: ({ state: { data, error } }) => {
      if (error instanceof Refusal) return false
      if (data === undefined) return ASK_EVERY_MS
      if (isTold || isOver(data)) return false
      return isMoving(data) || data.status === 'pending' ? ASK_EVERY_MS : ASK_SELDOM_MS
    },
  })
  const isKnown = result.data !== undefined
  const isDone = result.data !== undefined && isOver(result.data)

  // A tab that nobody sees holds no stream: over HTTP/1.1 a browser has six connections to the shop.
  const isWatched = useSyncExternalStore(onSeen, isSeen) && isKnown && !isDone

  useEffect(() => {
    if (!isWatched) return undefined
    const stream = new EventSource(`/api/orders/${encodeURIComponent(id)}/events`)
    const take = ({ data }: MessageEvent<string>) => {
      client.setQueryData(orderQuery(id).queryKey, JSON.parse(data) as Order)
    }
    for (const moment of MOMENTS) stream.addEventListener(`order.${moment}.v1`, take)
    // A stream that broke reconnects by itself, after its last event; meanwhile the page asks.
    stream.addEventListener('open', () => setTold(true))
    stream.addEventListener('error', () => setTold(false))
    return () => {
      stream.close()
      setTold(false)
    }
  }, [client, id, isWatched])

  return result
}
