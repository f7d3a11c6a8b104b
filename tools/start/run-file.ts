/** Owns the note that a running shop leaves in its data folder: which processes run, and where. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { isAlive } from '../processes.ts'

const runFile = z.object({
  /** The supervisor. */
  pid: z.int(),
  startedAtMs: z.number(),
  postgresPort: z.int(),
  /** Where it takes commands (control.ts). */
  control: z.object({ url: z.string(), token: z.string() }),
  processes: z.array(
    z.object({
      name: z.string(),
      /** Null while it waits to be started again. */
      pid: z.int().nullable(),
      /** The address that everybody knows. */
      url: z.string(),
      /** The replica's own; the same where there is but one address. */
      ownUrl: z.string(),
      startedAtMs: z.number(),
    }),
  ),
})
export type RunFile = z.infer<typeof runFile>

const pathIn = (dataDir: string) => join(dataDir, 'run.json')

/** Leaves the note, whole; on a full disk the old one stays, since only `npm run status` reads it. */
export function writeRunFile(dataDir: string, content: RunFile): void {
  const path = pathIn(dataDir)
  try {
    writeFileSync(`${path}.new`, JSON.stringify(content), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch {
    rmSync(`${path}.new`, { force: true })
  }
}

/** Takes the note away. */
export function removeRunFile(dataDir: string): void {
  rmSync(pathIn(dataDir), { force: true })
}

/** The note of a shop whose supervisor lives; a killed one leaves its note behind. */
export function readRunFile(dataDir: string): RunFile | undefined {
  const path = pathIn(dataDir)
  if (!existsSync(path)) return undefined
  const content = runFile.parse(JSON.parse(readFileSync(path, 'utf8')))
  return isAlive(content.pid) ? content : undefined
}
