/** Owns a transaction on one connection: statements sent on each other's heels, COMMIT behind the last. */

/** What a store function is given first: whatever answers statements, a transaction or the database. */
export type Tx = {
  /** Rows of one statement; `Row` is what the SQL says, unchecked. bigint arrives as number. */
  query: <Row = Record<string, unknown>>(text: string, values?: unknown[]) => Promise<Row[]>
}

/** Statements of one transaction, one after another. */
export type Transaction = Tx & {
  /**
   * Sends a statement whose rows nobody needs. What comes next, the commit too, follows on its heels
   * instead of waiting for its answer; when it fails, so does the transaction.
   */
  send: (text: string, values?: unknown[]) => void
}

/** A connection that takes statements before it has answered those before them. */
export type Connection = Tx & {
  /** BEGIN, COMMIT or ROLLBACK; gives the command that PostgreSQL says it did. */
  control: (text: 'begin' | 'commit' | 'rollback') => Promise<string>
  /** Whether an error says that the connection is no more. */
  isLost: (error: unknown) => boolean
}

/**
 * Runs `work` in a transaction that takes as many round trips as it has answers to wait for: BEGIN
 * rides with the first statement, COMMIT with the last.
 */
export async function inTransaction<Result>(
  connection: Connection,
  work: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  const sent = createSent()
  sent.add(connection.control('begin'))
  try {
    const result = await work(createTransaction(connection, sent))
    sent.close()
    const command = await sent.settled(connection.control('commit'))
    // So PostgreSQL answers when a statement had failed and `work` went on regardless.
    if (command !== 'COMMIT') throw new Error('the transaction had failed and was rolled back')
    return result
  } catch (error) {
    // After a COMMIT there is nothing left to roll back, and nothing at all once the connection is
    // gone. Otherwise the answer is waited for, or the next user of the connection would get it.
    if (!sent.isClosed() && !connection.isLost(error)) {
      sent.close()
      await sent.over(connection.control('rollback'))
    }
    throw error
  }
}

function createTransaction(connection: Connection, sent: Sent): Transaction {
  // A statement nobody awaited would run in whatever the connection does next.
  const assertOpen = () => {
    if (sent.isClosed()) throw new Error('a statement came after the end of its transaction')
  }
  return {
    query(text, values) {
      assertOpen()
      return sent.settled(connection.query(text, values))
    },
    send(text, values) {
      assertOpen()
      sent.add(connection.query(text, values))
    },
  }
}

type Sent = {
  /** A statement whose answer is looked at when the next one is waited for. */
  add: (asked: Promise<unknown>) => void
  /** The answer of `asked`; rejects with the first failure of what was sent before it. */
  settled: <Answer>(asked: Promise<Answer>) => Promise<Answer>
  /** Resolves when `asked` and all before it are answered; rejects when `asked` does. */
  over: (asked: Promise<unknown>) => Promise<void>
  close: () => void
  isClosed: () => boolean
}

function createSent(): Sent {
  const pending = new Set<Promise<unknown>>()
  let failure: { error: unknown } | undefined
  let closed = false
  return {
    add(asked) {
      const looked = asked
        .catch((error: unknown) => (failure ??= { error }))
        .finally(() => pending.delete(looked))
      pending.add(looked)
    },
    async settled(asked) {
      const [outcome] = await Promise.allSettled([asked, ...pending])
      // What comes after a failure is only told that the transaction has failed (25P02).
      if (failure !== undefined) throw failure.error
      if (outcome.status === 'rejected') throw outcome.reason
      return outcome.value
    },
    async over(asked) {
      await Promise.all([asked, ...pending])
    },
    close: () => (closed = true),
    isClosed: () => closed,
  }
}
