/** Owns the one way into the book: decide, make it durable, then answer; all that waits shares an fsync. */
import type { Log } from '@quartet/kit/log'
import { Problem } from '@quartet/kit/problem'
import type { Clock } from '@quartet/kit/time'
import { merge, openDraft, type Book, type Draft } from './book.ts'
import type { RecordEntry } from './contract.ts'
import type { DurableRecord } from './record.ts'

export type Committer = {
  /**
   * Runs `change` on a draft and resolves with what it returns once all of that is on the disk.
   * Rejects with a 503 Problem when it could not be written: then nothing of it happened.
   */
  commit: <Answer>(change: (draft: Draft) => Answer) => Promise<Answer>
  /** Resolves when nothing waits any more; what comes later is refused. */
  stop: () => Promise<void>
}

export type CommitterOptions = {
  book: Book
  record: DurableRecord
  clock: Clock
  log: Log
  /** Called after each group, with its entries. */
  onCommitted: (entries: RecordEntry[]) => void
}

type Waiting = { run: (draft: Draft) => () => void; refuse: (error: unknown) => void }

const MAX_WAITING = 1_024

export function createCommitter(options: CommitterOptions): Committer {
  let waiting: Waiting[] = []
  let running: Promise<void> | undefined
  let stopped = false

  // No timer: an idle committer writes at once, a busy one takes all that came meanwhile.
  const drain = async () => {
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      await commitGroup(options, group)
    }
    running = undefined
  }

  return {
    commit(change) {
      if (stopped) return Promise.reject(unavailable('The processor is stopping.'))
      if (waiting.length >= MAX_WAITING) return Promise.reject(unavailable('Too much is waiting.'))
      return new Promise((resolve, reject) => {
        const run = (draft: Draft) => {
          const answer = change(draft)
          return () => resolve(answer)
        }
        waiting.push({ run, refuse: reject })
        running ??= drain()
      })
    },
    async stop() {
      stopped = true
      await running
    },
  }
}

// A draft that is dropped never happened: the book only learns of what is on the disk.
async function commitGroup(options: CommitterOptions, group: Waiting[]): Promise<void> {
  const { book, record, clock, log, onCommitted } = options
  try {
    const draft = openDraft(book, clock.now())
    const answers = group.map(({ run }) => run(draft))
    if (draft.entries.length > 0) await write(record, draft.entries, log)
    merge(book, draft)
    for (const answer of answers) answer()
    onCommitted(draft.entries)
  } catch (error) {
    for (const { refuse } of group) refuse(error)
  }
}

async function write(record: DurableRecord, entries: RecordEntry[], log: Log): Promise<void> {
  try {
    await record.append(entries)
  } catch (error) {
    log.error({ error, entries: entries.length }, 'the record cannot be written')
    throw unavailable('The record cannot be written: is the disk full? Nothing of this happened.')
  }
}

function unavailable(detail: string): Problem {
  return new Problem('unavailable', 'Temporarily unavailable', { detail, retryAfterS: 1 })
}
