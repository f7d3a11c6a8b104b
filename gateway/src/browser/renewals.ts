/** Owns renewing a session's tokens at users: once, however many requests of one page want it. */
import type { World } from '@quartet/kit/world'
import { z } from 'zod'
import type { Tokens } from './cookies.ts'

type ForUsers = {
  method?: string
  headers: Record<string, string>
  body?: string | ArrayBuffer
}

/** Asks users for something, through everything that requests to services go through. */
export type AskUsers = (path: string, init: ForUsers) => Promise<Response>

/** `refused`: the session is over. `unknown`: users did not say. */
type Renewal = { kind: 'renewed'; tokens: Tokens } | { kind: 'refused' } | { kind: 'unknown' }

export type Renewals = { renew: (refreshToken: string) => Promise<Renewal> }

export const JSON_TYPE = { 'content-type': 'application/json' }

export const tokens = z.object({
  access_token: z.string(),
  expires_in: z.int(),
  refresh_token: z.string(),
  refresh_expires_in: z.int(),
})

/** Renewals under way at once. */
const MAX_RENEWALS = 1_000

export function createRenewals({ log }: Pick<World<unknown>, 'log'>, askUsers: AskUsers): Renewals {
  // What comes later with the old token is within the 30 s of grace that users gives (RULES.md, 22).
  const underWay = new Map<string, Promise<Renewal>>()

  async function ask(refreshToken: string): Promise<Renewal> {
    const body = JSON.stringify({ refresh_token: refreshToken })
    const response = await askUsers('/sessions/refresh', {
      method: 'POST',
      headers: JSON_TYPE,
      body,
    })
    if (response.ok) return { kind: 'renewed', tokens: tokens.parse(await response.json()) }
    await response.body?.cancel()
    return { kind: [400, 401].includes(response.status) ? 'refused' : 'unknown' }
  }

  return {
    renew(refreshToken) {
      const known = underWay.get(refreshToken)
      if (known !== undefined) return known
      if (underWay.size >= MAX_RENEWALS) return Promise.resolve({ kind: 'unknown' })
      const renewal = ask(refreshToken)
        .catch((error: unknown): Renewal => {
          log.warn({ error }, 'a session could not be renewed')
          return { kind: 'unknown' }
        })
        .finally(() => underWay.delete(refreshToken))
      underWay.set(refreshToken, renewal)
      return renewal
    },
  }
}
