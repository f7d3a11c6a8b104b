/** Owns the event streams that pass through: they end when this replica goes, and their clients go on at another. */
import type { Answer } from './answer.ts'

type Body = ReadableStream<Uint8Array<ArrayBuffer>>

export type EventStreams = {
  /** The answer; a stream of events (HTML Standard, 9.2) is from now on one that `end` ends. */
  pass: (answer: Answer) => Answer
  /** Ends all of them, whole messages or not: who comes again is told again what it did not get whole. */
  end: () => void
}

export function createEventStreams(): EventStreams {
  const open = new Set<() => void>()
  let hasEnded = false

  // Nothing is held back here, and nothing is kept for a client that doesn't read.
  function endable(body: Body): Body {
    const reader = body.getReader()
    const end = () => void reader.cancel().catch(() => {})
    open.add(end)
    if (hasEnded) end()
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          try {
            const { done, value } = await reader.read()
            if (!done) return controller.enqueue(value)
            controller.close()
          } catch (error) {
            controller.error(error)
          }
          open.delete(end)
        },
        async cancel(reason) {
          open.delete(end)
          await reader.cancel(reason)
        },
      },
      { highWaterMark: 0 },
    )
  }

  return {
    pass(answer) {
      const { headers, body } = answer
      const isStream = String(headers['content-type']).startsWith('text/event-stream')
      return isStream && body instanceof ReadableStream
        ? { ...answer, body: endable(body) }
        : answer
    },
    end() {
      hasEnded = true
      for (const end of open) end()
    },
  }
}
