/** Owns one line of the record file: an entry as JSON with a checksum, and how to tell a damaged one. */
import { crc32 } from 'node:zlib'
import { recordEntry, type RecordEntry } from './contract.ts'

// {"crc":"0a1b2c3d","sequence":1,…}: the checksum is that of the object without it.
const HEAD = '{"crc":"'
const BODY_AT = HEAD.length + 8 + '",'.length

export function encodeLine(entry: RecordEntry): string {
  const body = JSON.stringify(entry)
  return `${HEAD}${checksum(body)}",${body.slice(1)}\n`
}

/** Throws when the line is not what `encodeLine` wrote. */
export function decodeLine(line: string): RecordEntry {
  const body = `{${line.slice(BODY_AT)}`
  const isWhole = line.startsWith(`${HEAD}${checksum(body)}",`)
  if (!isWhole) throw new Error('its checksum does not match')
  return recordEntry.parse(JSON.parse(body))
}

/** Whether these bytes can be the beginning of a line whose end was never written. */
export function isTornLine(tail: Buffer): boolean {
  // Some file systems leave zeros where the data of a crash would have gone.
  const end = tail.findLastIndex((byte) => byte !== 0) + 1
  const head = tail.toString('latin1', 0, Math.min(end, HEAD.length))
  return HEAD.startsWith(head)
}

const checksum = (body: string) => crc32(body).toString(16).padStart(8, '0')
