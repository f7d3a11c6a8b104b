/** Owns the names under which a service's statements are prepared. */
import { createHash } from 'node:crypto'

export type StatementNames = {
  of: (text: string) => string | undefined
  /** From now on the text has another name, so that every connection prepares it anew. */
  renew: (text: string, name: string) => void
}

// Texts hold no values, so there are few; a thousand means that somebody builds them.
const MAX_STATEMENT_NAMES = 1_000

/**
 * Named statements are parsed and planned once per connection. The name follows from the text, so
 * that two programs behind one pooler never mean different statements by the same name; a text past
 * the first thousand has none.
 */
export function createStatementNames(): StatementNames {
  const names = new Map<string, string>()
  let renewals = 0
  const make = (text: string) => {
    const digest = createHash('sha256').update(text).digest('base64url').slice(0, 22)
    const name = `${digest}_${renewals}`
    names.set(text, name)
    return name
  }
  return {
    of: (text) => names.get(text) ?? (names.size < MAX_STATEMENT_NAMES ? make(text) : undefined),
    renew(text, name) {
      if (names.get(text) !== name) return // another connection met it first
      renewals += 1
      make(text)
    },
  }
}
