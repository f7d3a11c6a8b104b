/** Owns renewing a session's tokens at users: once, however many requests of one page want it. */
import { withTimeout } from '@quartet/kit/timeout'
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

export type Renewals = {
  /** `isHurried`: there is something to go on with, so `unknown` is told after a second. */
  renew: (refreshToken: string, isHurried: boolean) => Promise<Renewal>
}

export const JSON_TYPE = { 'content-type': 'application/json' }
/** What costs users next to nothing is not waited for as long as what goes on to a service. */
export const IN_SECONDS = { 'x-request-timeout-ms': '5000' }

export const tokens = z.object({
  access_token: z.string(),
  expires_in: z.int(),
  refresh_token: z.string(),
  refresh_expires_in: z.int(),
})

/** Renewals under way at once. */
const MAX_RENEWALS = 1_000
const HURRIED_MS = 1_000
/** What came too late for those who asked is kept for whoever asks next: users may have ended its grace by then. */
const KEPT_MS = 120_000
const MAX_KEPT = 10_000

const unknown: Renewal = { kind: 'unknown' }

/** One that is under way, or is kept. */
type Known = { whole: Promise<Renewal>; soon: Promise<Renewal> }

export function createRenewals(
  { log, timers }: Pick<World<unknown>, 'log' | 'timers'>,
  askUsers: AskUsers,
): Renewals {
  // What comes later with the old token is within the 30 s of grace that users gives (RULES.md, 22).
  const known = new Map<string, Known>()
  let underWay = 0

  async function ask(refreshToken: string): Promise<Renewal> {
    const body = JSON.stringify({ refresh_token: refreshToken })
    const response = await askUsers('/sessions/refresh', {
      method: 'POST',
      headers: { ...JSON_TYPE, ...IN_SECONDS },
      body,
    })
    if (response.ok) return { kind: 'renewed', tokens: tokens.parse(await response.json()) }
    await response.body?.cancel()
    return [400, 401].includes(response.status) ? { kind: 'refused' } : unknown
  }

  function begin(refreshToken: string): Known {
    let isLate = false
    underWay += 1
    const whole = ask(refreshToken)
      .catch((error: unknown) => {
        log.warn({ error }, 'a session could not be renewed')
        return unknown
      })
      .then((renewal) => {
        underWay -= 1
        known.delete(refreshToken)
        if (isLate && renewal.kind === 'renewed' && known.size < MAX_KEPT) {
          known.set(refreshToken, { whole, soon: whole })
          timers.after(KEPT_MS, () => known.delete(refreshToken))
        }
        return renewal
      })
    const soon = withTimeout(timers, HURRIED_MS, () => whole).catch(() => {
      isLate = true
      return unknown
    })
    return { whole, soon }
  }

  return {
    renew(refreshToken, isHurried) {
      let renewal = known.get(refreshToken)
      if (renewal === undefined) {
        if (underWay >= MAX_RENEWALS) return Promise.resolve(unknown)
        renewal = begin(refreshToken)
        known.set(refreshToken, renewal)
      }
      return isHurried ? renewal.soon : renewal.whole
    },
  }
}
