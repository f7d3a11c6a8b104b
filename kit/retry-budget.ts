/** Owns how much may be sent again: a tenth of what is sent, so that retries never make a bad hour worse. */

export type RetryBudget = {
  /** Something is sent for the first time: it earns a tenth of a retry. */
  earn: () => void
  /** Takes a retry, if one is left. */
  take: () => boolean
}

const SHARE = 0.1
const MOST = 10
/** Kept for a peer that is asked seldom. */
const RESERVE = 1

/** A token bucket that fills by use, not by time. */
export function createRetryBudget(): RetryBudget {
  let left = RESERVE
  return {
    earn() {
      left = Math.min(MOST, left + SHARE)
    },
    take() {
      // Tenths don't add up to one exactly.
      if (left < 1 - 1e-9) return false
      left -= 1
      return true
    },
  }
}
