/** Owns a broker for tests: it keeps what is published, brings what the test says, and is away when told to. */
import type { Broker, Message } from '../broker.ts'

export type FakeBroker = Broker & {
  /** All that was published, in the order in which it came. */
  published: Message[]
  /** Brings texts together to whoever follows, or to who follows next. */
  bring: (...texts: string[]) => void
  /** From now on nothing works; who follows is told. */
  leave: () => void
  comeBack: () => void
  /** Drops what was brought and not taken. */
  forget: () => void
  /** How many follow. */
  followers: () => number
  /** How many texts were brought that nobody has taken yet. */
  waiting: () => number
  /** Called before messages are kept: may throw, or wait. */
  onPublish: (messages: Message[]) => Promise<void> | void
}

export function createFakeBroker(): FakeBroker {
  const published: Message[] = []
  let waiting: string[][] = []
  let isAway = false
  let followers = 0
  let wake = Promise.withResolvers<void>()
  const ring = () => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  const away = () => new Error('the broker is away')

  const fake: FakeBroker = {
    published,
    onPublish() {},
    async publish(_log, messages) {
      if (isAway) throw away()
      await fake.onPublish(messages)
      published.push(...messages)
    },
    async *follow(_log, _reader, stopping) {
      if (isAway) throw away()
      followers += 1
      stopping.addEventListener('abort', ring)
      try {
        while (!stopping.aborted) {
          if (isAway) throw away()
          const together = waiting.shift()
          if (together === undefined) await wake.promise
          else yield together
        }
      } finally {
        followers -= 1
        stopping.removeEventListener('abort', ring)
      }
    },
    isConnected: () => !isAway,
    close: () => Promise.resolve(),
    bring(...texts) {
      waiting.push(texts)
      ring()
    },
    leave() {
      isAway = true
      ring()
    },
    comeBack: () => (isAway = false),
    forget: () => (waiting = []),
    followers: () => followers,
    waiting: () => waiting.flat().length,
  }
  return fake
}
