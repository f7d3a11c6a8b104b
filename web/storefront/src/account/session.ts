/** Owns who is logged in, as the gateway says: no token is ever seen here. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { ask } from '../api/ask.ts'
import type { User } from '../api/contracts.ts'
import { sessionQuery } from '../api/queries.ts'

type Session = {
  user: User | null
  /** Whether it is known: not while it is asked for, nor while the users service is down. */
  isKnown: boolean
  isDown: boolean
}

export function useSession(): Session {
  const { data, isError } = useQuery(sessionQuery)
  return { user: data?.user ?? null, isKnown: data !== undefined, isDown: isError }
}

/** Starts a session: of an account, or of a guest who gives an e-mail alone. */
export function useStartSession() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ path, body }: { path: string; body: unknown }) =>
      ask<{ user: User }>(path, { body }),
    onSuccess: ({ user }) => begin(client, user),
  })
}

type Client = ReturnType<typeof useQueryClient>

/** From now on this is who is logged in; what was another's is forgotten. */
export function begin(client: Client, user: User): void {
  client.removeQueries({ queryKey: ['order'] })
  client.removeQueries({ queryKey: ['orders'] })
  client.setQueryData(sessionQuery.queryKey, { user })
}

/** Takes the cookies away; what is seen of the session stays until the caller ends it. */
export function useLogOut(onSuccess: () => void) {
  return useMutation({
    mutationFn: () => ask<void>('/browser/session', { method: 'DELETE' }),
    onSuccess,
  })
}

/** From now on nobody is logged in, and what was somebody's is forgotten. */
export function end(client: Client): void {
  client.removeQueries({ queryKey: ['order'] })
  client.removeQueries({ queryKey: ['orders'] })
  client.setQueryData(sessionQuery.queryKey, { user: null })
}
