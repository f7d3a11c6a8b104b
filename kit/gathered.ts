/** Owns gathering: what an iterable gives in one turn of the event loop comes together. */
import { setImmediate as turnOver } from 'node:timers/promises'

/**
 * Waits for a value, and gives with it all that is there by the end of the turn, `most` at most. What
 * one read from a socket has brought is thus one page and one transaction, not a hundred.
 */
export async function* gathered<Value>(
  values: AsyncIterable<Value>,
  most: number,
): AsyncGenerator<Value[]> {
  const iterator = values[Symbol.asyncIterator]()
  const ask = () => {
    const asked = iterator.next()
    asked.catch(() => {}) // thrown where it is awaited, which may be much later, or never
    return asked
  }
  let next = ask()
  try {
    for (;;) {
      const first = await next
      if (first.done === true) return
      const together = [first.value]
      const over = turnOver(undefined)
      for (next = ask(); together.length < most; next = ask()) {
        const more = await Promise.race([next, over])
        if (more === undefined || more.done === true) break
        together.push(more.value)
      }
      yield together
    }
  } finally {
    void iterator.return?.()
  }
}
