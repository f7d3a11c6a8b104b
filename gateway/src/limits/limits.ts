/** Owns how often somebody may ask: by address, by account, and less often for log-ins, guests and registrations. */
import type { Authenticator } from '@quartet/kit/auth'
import { Problem } from '@quartet/kit/problem'
import type { World } from '@quartet/kit/world'
import type { Config } from '../config.ts'
import type { Counter } from './counter.ts'

type LimitsWorld = Pick<World<Config>, 'config' | 'timers'>

type Asked = {
  /** Of a client, as `clientAddress` tells it. */
  address: string
  /** Whether this tries a password or makes an account. */
  isSignIn: boolean
  /** The header that the request goes on with: its own, or its session's. */
  authorization: string | undefined
}

export type Limits = {
  /** Counts a request; a 429 problem with Retry-After for whoever asks too often (RFC 6585, 4). */
  check: (asked: Asked) => Promise<void>
}

/** Whose keys are not at hand by then is counted by address alone: a limit never makes anybody wait. */
const VERIFY_MS = 100

/** `authenticator`: only a token that verifies counts for an account, or one could use up another's share. */
export function createLimits(
  { config, timers }: LimitsWorld,
  counter: Counter,
  authenticator: Authenticator | undefined,
): Limits {
  async function accountOf(authorization: string | undefined): Promise<string | undefined> {
    if (authenticator === undefined || authorization === undefined) return undefined
    const headers = new Headers({ authorization })
    const late = Promise.withResolvers<undefined>()
    const cancel = timers.after(VERIFY_MS, () => late.resolve(undefined))
    try {
      return (await Promise.race([authenticator.optionalUser({ headers }), late.promise]))?.userId
    } catch {
      return undefined
    } finally {
      cancel()
    }
  }

  function take(key: string, limit: number, whose: string): void {
    const waitS = counter.take(key, limit)
    if (waitS !== undefined) throw tooMany(whose, limit, waitS)
  }

  return {
    async check({ address, isSignIn, authorization }) {
      if (isSignIn) take(`sign-in ${address}`, config.SIGN_INS_PER_MINUTE, 'address')
      take(`address ${address}`, config.REQUESTS_PER_MINUTE_BY_ADDRESS, 'address')
      const account = await accountOf(authorization)
      if (account === undefined) return
      take(`account ${account}`, config.REQUESTS_PER_MINUTE_BY_ACCOUNT, 'account')
    },
  }
}

const tooMany = (whose: string, limit: number, waitS: number) =>
  new Problem('too_many_requests', 'Too many requests', {
    code: 'rate_limited',
    detail: `More than ${limit} of these a minute came from this ${whose}. Wait, then try again.`,
    retryAfterS: waitS,
  })
