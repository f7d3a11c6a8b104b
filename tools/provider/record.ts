/** Owns the durable record: an append-only file of JSON lines, where what was appended is on the disk. */
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Log } from '@quartet/kit/log'
import type { RecordEntry } from './contract.ts'
import { lockFile } from '../file-lock.ts'
import { decodeLine, encodeLine, isTornLine } from './record-line.ts'

/** The part of a file handle that the record uses. */
export type RecordFile = Pick<
  FileHandle,
  'read' | 'write' | 'datasync' | 'truncate' | 'stat' | 'close'
>
export type OpenFile = (path: string) => Promise<RecordFile>

export type DurableRecord = {
  /** Resolves when the entries are on the disk; rejects when none of them is there. */
  append: (entries: RecordEntry[]) => Promise<void>
  /** Entries `after` + 1 and on, at most `limit`. */
  read: (after: number, limit: number) => Promise<RecordEntry[]>
  sizeBytes: () => number
  close: () => Promise<void>
}

export type RecordOptions = {
  path: string
  log: Log
  /** Called with every entry that is there already, in order; may throw to refuse it. */
  onEntry: (entry: RecordEntry) => void
  openFile?: OpenFile | undefined
}

/** A record that cannot be used as it is; the message says what to do. */
export class RecordRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RecordRefused'
  }
}

type State = {
  file: RecordFile
  /** Where the durable part ends. */
  sizeBytes: number
  /** Where entry n + 1 begins. */
  offsets: number[]
  /** Bytes behind `sizeBytes` that a failed append may have left. */
  dirty: boolean
}

const CHUNK_BYTES = 1024 * 1024

/** Opens a record for this process alone and reads it through; makes it when it isn't there. */
export async function openRecord(options: RecordOptions): Promise<DurableRecord> {
  const unlock = lock(options.path)
  let file: RecordFile | undefined
  try {
    file = await (options.openFile ?? openDurably)(options.path)
    const state: State = { file, sizeBytes: 0, offsets: [], dirty: false }
    await readAll(state, options)
    return {
      append: (entries) => append(state, entries),
      read: (after, limit) => read(state, after, limit),
      sizeBytes: () => state.sizeBytes,
      async close() {
        await state.file.close()
        unlock()
      },
    }
  } catch (error) {
    await file?.close()
    unlock()
    throw error
  }
}

function lock(path: string): () => void {
  try {
    return lockFile(`${path}.lock`)
  } catch (error) {
    const advice = 'Stop it first, or give this one a DATA_FILE of its own.'
    const message = `The record ${path} cannot be locked: another provider is using it. ${advice}`
    const isBusy = error instanceof Error && /locked|busy/i.test(error.message)
    const other = `${path}.lock cannot be opened. Make its folder exist and be writable.`
    throw new RecordRefused(isBusy ? message : other, { cause: error })
  }
}

// A new file is only durable when its name in the folder is.
async function openDurably(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  const folder = await open(dirname(path), constants.O_RDONLY)
  await folder.sync()
  await folder.close()
  return file
}

async function readAll(state: State, { path, log, onEntry }: RecordOptions): Promise<void> {
  const { size } = await state.file.stat()
  const chunk = Buffer.alloc(CHUNK_BYTES)
  let tail: Buffer = Buffer.alloc(0)
  for (let position = 0; position < size;) {
    const { bytesRead } = await state.file.read(chunk, 0, CHUNK_BYTES, position)
    if (bytesRead === 0) break
    position += bytesRead
    tail = takeLines(state, Buffer.concat([tail, chunk.subarray(0, bytesRead)]), (line) => {
      try {
        onEntry(decodeLine(line))
      } catch (error) {
        throw damaged(path, state.offsets.length + 1, error)
      }
    })
  }
  if (tail.length > 0) {
    const line = state.offsets.length + 1
    if (!isTornLine(tail)) throw damaged(path, line, 'it is not an entry')
    const fields = { path, bytes: tail.length, line }
    log.warn(fields, 'cut off a last line that was never finished: nobody was told of it')
  }
  // Also without a tail: what a killed process wrote last may be in the page cache alone.
  await cut(state)
}

function takeLines(state: State, bytes: Buffer, onLine: (line: string) => void): Buffer {
  let start = 0
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    onLine(bytes.toString('utf8', start, end))
    state.offsets.push(state.sizeBytes)
    state.sizeBytes += end + 1 - start
    start = end + 1
  }
  return Buffer.from(bytes.subarray(start))
}

function damaged(path: string, line: number, cause: unknown): RecordRefused {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new RecordRefused(
    `Line ${line} of the record ${path} is damaged (${why}). Nothing was changed. Bring the file ` +
      'back from a backup, or move it away to begin an empty record.',
    { cause },
  )
}

async function append(state: State, entries: RecordEntry[]): Promise<void> {
  if (state.dirty) await cut(state)
  const lines = entries.map((entry) => Buffer.from(encodeLine(entry)))
  const bytes = Buffer.concat(lines)
  state.dirty = true
  try {
    await writeAll(state, bytes)
    await state.file.datasync()
  } catch (error) {
    await cut(state).catch(() => {}) // else the next append begins with it
    throw error
  }
  state.dirty = false
  for (const line of lines) {
    state.offsets.push(state.sizeBytes)
    state.sizeBytes += line.length
  }
}

async function writeAll({ file, sizeBytes }: State, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const rest = bytes.length - written
    const { bytesWritten } = await file.write(bytes, written, rest, sizeBytes + written)
    written += bytesWritten
  }
}

async function cut(state: State): Promise<void> {
  await state.file.truncate(state.sizeBytes)
  await state.file.datasync()
  state.dirty = false
}

async function read(state: State, after: number, limit: number): Promise<RecordEntry[]> {
  const start = state.offsets[after] ?? state.sizeBytes
  const length = (state.offsets[after + limit] ?? state.sizeBytes) - start
  if (length <= 0) return []
  const bytes = Buffer.alloc(length)
  for (let done = 0; done < length;) {
    const { bytesRead } = await state.file.read(bytes, done, length - done, start + done)
    if (bytesRead === 0) throw new Error('the record is shorter than it was')
    done += bytesRead
  }
  return bytes.toString('utf8').trimEnd().split('\n').map(decodeLine)
}
