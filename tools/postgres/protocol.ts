/** Owns what a guard and its clients say to each other: JSON lines over a socket of this machine. */
import { lstatSync, mkdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { Explained } from '../explained.ts'
import { shortHash } from './data-folder.ts'

export const clientMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('join'), pid: z.int(), exclusive: z.string().optional() }),
  z.object({ type: z.literal('leave') }),
])

export const guardMessage = z.discriminatedUnion('type', [
  /** What a person waits for just now. */
  z.object({ type: z.literal('progress'), text: z.string() }),
  z.object({ type: z.literal('ready'), port: z.int() }),
  /** This client may not join, or the server cannot start. */
  z.object({ type: z.literal('refused'), message: z.string() }),
  z.object({ type: z.literal('died'), reason: z.string(), retryMs: z.number() }),
  z.object({ type: z.literal('recovered') }),
])

export type ClientMessage = z.infer<typeof clientMessage>
export type GuardMessage = z.infer<typeof guardMessage>

export const guardOptions = z.object({
  dataDir: z.string(),
  /** 0 takes any that is free. */
  port: z.int(),
  /** Nothing waits for the disk, and the data folder is removed at the end. */
  throwAway: z.boolean(),
})
export type GuardOptions = z.infer<typeof guardOptions>

/** The socket of a data folder's guard. A socket's path holds about 100 bytes, so a hash stands for the folder. */
export function guardSocket(dataDir: string): string {
  const folder = join(tmpdir(), `quartet-${userId()}-${shortHash(dataDir)}`)
  const stat = lstatSync(folder, { throwIfNoEntry: false })
  const isPrivate = stat?.isDirectory() === true && (stat.mode & 0o077) === 0
  if (stat !== undefined && !(isPrivate && stat.uid === userId())) {
    throw new Explained(`${folder} belongs to somebody else. Remove it, then try again.`)
  }
  return join(folder, 'guard.sock')
}

/** Makes the socket's folder, which only this user enters; returns the socket's path. */
export function makeGuardFolder(dataDir: string): string {
  const socketPath = guardSocket(dataDir)
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 })
  return guardSocket(dataDir)
}

const userId = () => process.getuid?.() ?? 0

/** Writes one message; a peer that is gone is noticed by the socket's close. */
export function send(socket: Socket, message: ClientMessage | GuardMessage): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`)
}

/** Calls `take` with every message that arrives. */
export function receive<Message>(
  socket: Socket,
  schema: z.ZodType<Message>,
  take: (message: Message) => void,
): void {
  const lines = createInterface({ input: socket })
  lines.on('line', (line) => take(schema.parse(JSON.parse(line))))
  lines.on('error', () => {})
}
