/** Owns the position of what webhooks have told: a number in a file beside the record. */
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Log } from '@quartet/kit/log'
import type { Timers } from '@quartet/kit/time'

export type Position = {
  /** An entry that is to be told; in the order of the record. */
  add: (sequence: number) => void
  /** An entry that was told. */
  done: (sequence: number) => void
  /** Writes what is known by now. */
  write: () => Promise<void>
  /** The same, for the last time. */
  close: () => Promise<void>
}

export type PositionOptions = { path: string; timers: Timers; log: Log }

// What is told in this time is told again by a process that dies in it.
const WRITE_MS = 200

/** The position in the file: nothing up to it is told again. Undefined where webhooks are new. */
export async function readPosition({ path, log }: PositionOptions): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const position = /^\d{1,15}\n$/.test(text) ? Number(text) : 0
  if (position === 0 && text !== '0\n') log.warn({ path }, 'not a position: all is told again')
  return position
}

/** Keeps the position behind the first entry that is still to be told; a write follows what is told. */
export function keepPosition({ path, timers, log }: PositionOptions, first: number): Position {
  const outstanding = new Set<number>()
  let highest = first
  let written = -1
  let writing: Promise<void> | undefined
  let cancel: (() => void) | undefined
  let closed = false

  const current = () => {
    const [oldest] = outstanding
    return oldest === undefined ? highest : oldest - 1
  }
  const write = async () => {
    const position = current()
    if (position === written) return
    try {
      await writeDurably(path, `${position}\n`)
      written = position
    } catch (error) {
      log.error({ error, path }, 'the position of webhooks cannot be written')
    }
  }
  // One after the other: two at once would write the same file.
  const writeNext = () => (writing = (writing ?? Promise.resolve()).then(write))

  return {
    add(sequence) {
      outstanding.add(sequence)
      highest = sequence
    },
    done(sequence) {
      outstanding.delete(sequence)
      if (closed) return
      cancel ??= timers.after(WRITE_MS, () => {
        cancel = undefined
        void writeNext()
      })
    },
    write: writeNext,
    close() {
      closed = true
      cancel?.()
      return writeNext()
    },
  }
}

// Renamed into place: there is the old number or the new one, never half of it.
async function writeDurably(path: string, text: string): Promise<void> {
  const making = `${path}.new`
  const file = await open(making, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(making, path)
  const folder = await open(dirname(path))
  await folder.sync().finally(() => folder.close())
}
