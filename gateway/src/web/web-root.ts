/** Owns the web root: a folder of built pages, read whole at start, so that no request touches the disk. */
import { hash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { getMimeType } from 'hono/utils/mime'
import { z } from 'zod'

/** One form of a file: as it is, or compressed when it was built. */
export type Form = {
  encoding: 'br' | 'gzip' | undefined
  etag: string
  body: Uint8Array<ArrayBuffer>
}

export type WebFile = {
  type: string
  /** The smallest first; the one without an encoding last. */
  forms: Form[]
}

/** Files by the path of their URL, as a URL parser writes it. */
export type WebRoot = ReadonlyMap<string, WebFile>

export const INDEX = '/index.html'
const MAX_FILES = 2_000
const MAX_MIB = 64
const VARIANTS = [
  { encoding: 'br', suffix: '.br' },
  { encoding: 'gzip', suffix: '.gz' },
  { encoding: undefined, suffix: '' },
] as const

/** A setting that names a web root: the value is what stands in it. */
export const webRoot = () =>
  z.string().transform((folder, context): WebRoot => {
    try {
      return readWebRoot(folder)
    } catch (error) {
      const message =
        error instanceof Error && !('code' in error) ? error.message : unreadable(error)
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }
  })

const unreadable = (error: unknown) =>
  `names a folder that cannot be read (${(error as NodeJS.ErrnoException).code ?? 'no such folder'})`

/** Throws an Error with a sentence about the folder when it cannot be served. */
function readWebRoot(folder: string): WebRoot {
  const paths = filesBelow(folder)
  if (paths.length > MAX_FILES) throw new Error(`names a folder of more than ${MAX_FILES} files`)
  const bytes = paths.reduce((sum, path) => sum + statSync(path).size, 0)
  if (bytes > MAX_MIB * 1024 * 1024) throw new Error(`names a folder of more than ${MAX_MIB} MiB`)
  const there = new Set(paths)
  const root = new Map<string, WebFile>()
  for (const path of paths) {
    if (!isVariant(path, there)) root.set(urlPathOf(folder, path), readFile(path, there))
  }
  if (!root.has(INDEX)) throw new Error('names a folder without an index.html: has it been built?')
  return root
}

// No dot file, and no link: what a link leads to was not put here to be served.
function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.name.startsWith('.')) return []
    if (entry.isDirectory()) return filesBelow(path)
    return entry.isFile() ? [path] : []
  })
}

const isVariant = (path: string, there: ReadonlySet<string>) =>
  VARIANTS.some(
    ({ suffix }) =>
      suffix !== '' && path.endsWith(suffix) && there.has(path.slice(0, -suffix.length)),
  )

const urlPathOf = (folder: string, path: string) =>
  pathToFileURL(posix.join('/', ...relative(folder, path).split(sep))).pathname

function readFile(path: string, there: ReadonlySet<string>): WebFile {
  const forms = VARIANTS.flatMap(({ encoding, suffix }) => {
    if (!there.has(path + suffix)) return []
    const body = new Uint8Array(readFileSync(path + suffix))
    return [{ encoding, body, etag: `"${hash('sha256', body, 'base64url').slice(0, 22)}"` }]
  })
  return { type: getMimeType(path) ?? 'application/octet-stream', forms }
}
