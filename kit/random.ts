/** Owns chance: what a world draws from, and the system's. */
import { randomFillSync } from 'node:crypto'

export type Random = {
  /** A number in [0, 1), for jitter. */
  fraction: () => number
  bytes: (count: number) => Uint8Array
}

// Drawn from the system by the page: a call for every id costs more than all else about it.
const POOL_BYTES = 4_096
let pool = new Uint8Array()

export const realRandom: Random = {
  fraction: () => Math.random(),
  bytes(count) {
    if (pool.length < count) pool = randomFillSync(new Uint8Array(Math.max(POOL_BYTES, count)))
    const drawn = pool.slice(0, count)
    pool.fill(0, 0, count) // what was drawn is neither kept nor drawn again
    pool = pool.subarray(count)
    return drawn
  },
}
