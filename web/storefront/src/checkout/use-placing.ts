/** Owns placing an order from the page: once at a time, gone on with after a reload, and where it leads. */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useEffectEvent, useRef, useState } from 'react'
import { useNavigate } from 'react-router'
import { begin } from '../account/session.ts'
import { ask, NoAnswer, Refusal, type ProblemDocument } from '../api/ask.ts'
import type { User } from '../api/contracts.ts'
import { orderQuery } from '../api/queries.ts'
import { readCart } from '../cart/cart-store.ts'
import { bankUrl } from '../orders/bank-url.ts'
import { forgetDraft } from './draft.ts'
import { errorsOf, type FieldErrors } from './form.ts'
import { resumeOrder, type Placed, type Watch } from './place.ts'

/** `tries`: how often nobody has answered so far. */
export type ProgressState =
  | { kind: 'idle' }
  | { kind: 'sending' }
  | { kind: 'waiting'; tries: number }

const IDLE: ProgressState = { kind: 'idle' }

type Place = (watch: Watch) => Promise<Placed | undefined>

export function usePlacing(
  user: User | null,
  onErrors: (errors: FieldErrors) => void,
  onPlacing: (isPlacing: boolean) => void,
) {
  const client = useQueryClient()
  const arrive = useArriveAtOrder()
  const [progress, setProgress] = useState(IDLE)
  const [refusal, setRefusal] = useState<ProblemDocument>()
  const leaving = useRef<AbortController>(undefined)

  const refuse = async (problem: ProblemDocument): Promise<void> => {
    setRefusal(problem)
    onErrors(errorsOf(problem))
    if (problem.status === 401) await client.invalidateQueries({ queryKey: ['session'] })
    // What was refused for its stock or its price shows on its line.
    else await client.invalidateQueries({ queryKey: ['product'] })
  }

  const run = async (place: Place): Promise<void> => {
    const controller = new AbortController()
    leaving.current = controller
    const { signal } = controller
    setRefusal(undefined)
    setProgress({ kind: 'sending' })
    onPlacing(true)
    try {
      const onNoAnswer = (tries: number) => setProgress({ kind: 'waiting', tries })
      const placed = await place({ signal, onNoAnswer })
      if (placed?.kind === 'refused') await refuse(placed.problem)
      else if (placed?.kind === 'signed_out') await refuse(SIGNED_OUT)
      else if (placed !== undefined) await arrive(placed)
    } catch (error) {
      if (!signal.aborted) await refuse(problemOf(error))
    } finally {
      if (!signal.aborted) {
        setProgress(IDLE)
        onPlacing(false)
      }
    }
  }

  const resume = useEffectEvent((ownerId: string) => {
    if (readCart().attempt?.owner_id === ownerId) {
      void run((watch) => resumeOrder(ownerId, watch))
    }
  })
  const ownerId = user?.id
  useEffect(() => {
    if (ownerId === undefined) return undefined
    const timer = setTimeout(() => resume(ownerId))
    return () => clearTimeout(timer)
  }, [ownerId])
  useEffect(() => () => leaving.current?.abort(), [])

  const enterAsGuest = async ({ email, name }: { email: string; name: string }): Promise<User> => {
    const body = { email: email.trim(), name: name.trim() }
    const { user: guest } = await ask<{ user: User }>('/browser/guest', { body })
    begin(client, guest)
    return guest
  }
  const forgive = () => setRefusal(undefined)
  return { progress, isBusy: progress.kind !== 'idle', refusal, forgive, run, enterAsGuest }
}

/** To the page of the order; to the bank first, where the bank wants to be asked. */
function useArriveAtOrder() {
  const client = useQueryClient()
  const navigate = useNavigate()
  return async (placed: Extract<Placed, { kind: 'placed' | 'elsewhere' }>): Promise<void> => {
    const id = placed.kind === 'placed' ? placed.order.id : placed.order_id
    if (placed.kind === 'placed') client.setQueryData(orderQuery(id).queryKey, placed.order)
    // The other tab may have become a guest for it.
    else void client.invalidateQueries({ queryKey: ['session'] })
    forgetDraft()
    void client.invalidateQueries({ queryKey: ['orders'] })
    void client.invalidateQueries({ queryKey: ['product'] })
    await navigate(`/orders/${id}`, { replace: true })
    const action = placed.kind === 'placed' ? placed.order.next_action : null
    if (action !== null) window.location.assign(bankUrl(action.url, id))
  }
}

const SIGNED_OUT: ProblemDocument = { title: 'Signed out', status: 401, code: 'signed_out' }

function problemOf(error: unknown): ProblemDocument {
  if (error instanceof Refusal) return error.problem
  if (error instanceof NoAnswer) return { title: error.message, status: 503, code: 'no_answer' }
  throw error
}
