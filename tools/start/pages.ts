/** Owns the shop's pages: built when they are missing or older than what they are made of, and only then. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { lockFile } from '../file-lock.ts'
import { compressBelow } from './compress.ts'

export type PagesOptions = {
  /** The folder of the web application, whose `npm run build` makes `dist` in it. */
  project: string
  lockfile: string
  /** Keeps the builder's own words, and the lock that lets one build at a time. */
  cacheDir: string
  /** It takes some seconds: called before. */
  onBuild?: () => void
  /** Gives up a build that is under way. */
  signal?: AbortSignal | undefined
}

/** The folder to serve, or why there is none. */
export type Pages =
  | { folder: string; reason?: never }
  | { folder?: never; reason: string; logFile?: string }

const CHECKOUT = resolve(import.meta.dirname, '../..')

/** The storefront of this checkout. */
export const STOREFRONT: PagesOptions = {
  project: join(CHECKOUT, 'web/storefront'),
  lockfile: join(CHECKOUT, 'package-lock.json'),
  cacheDir: join(CHECKOUT, 'node_modules/.cache/quartet'),
}

const LOCK_RETRY_MS = 250
const BUILD_TIMEOUT_MS = 300_000
/** In `dist`, written last: what a build that broke off has left bears none. */
const STAMP = '.built-from'
const NOT_SOURCES = new Set(['node_modules', 'dist'])

/** Gives the built pages; builds them first where that is needed. Never throws: a shop runs without them. */
export async function buildPages(options: PagesOptions): Promise<Pages> {
  const { project, cacheDir, signal } = options
  if (!existsSync(join(project, 'package.json'))) return { reason: `there is no ${project}` }
  const dist = join(project, 'dist')
  if (isBuilt(options, dist)) return { folder: dist }
  mkdirSync(cacheDir, { recursive: true })
  const logFile = join(cacheDir, 'pages.log')
  const unlock = await lockWhenFree(join(cacheDir, 'pages.lock'), signal)
  try {
    if (isBuilt(options, dist)) return { folder: dist } // another start was faster
    options.onBuild?.()
    const from = stampOf(options)
    const failure = await runBuild(project, logFile, signal)
    if (failure !== undefined) return { reason: failure, logFile }
    if (!existsSync(join(dist, 'index.html'))) return { reason: 'it made no index.html', logFile }
    await compressBelow(dist)
    writeFileSync(join(dist, STAMP), from)
    return { folder: dist }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error), logFile }
  } finally {
    unlock()
  }
}

function isBuilt(options: PagesOptions, dist: string): boolean {
  const stamp = join(dist, STAMP)
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === stampOf(options)
}

/** Stands for all that pages are made of: the project's files, and the versions of its packages. */
function stampOf({ project, lockfile }: PagesOptions): string {
  const stamp = createHash('sha256').update(readFileSync(lockfile))
  for (const path of sourcesBelow(project)) {
    stamp.update(`\0${path.slice(project.length)}\0`).update(readFileSync(path))
  }
  return stamp.digest('hex')
}

function sourcesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries
    .filter(({ name }) => !name.startsWith('.') && !NOT_SOURCES.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? sourcesBelow(path) : entry.isFile() ? [path] : []
    })
    .sort()
}

/** Waits for whoever builds just now; the system frees the lock of one that died. */
async function lockWhenFree(path: string, signal: AbortSignal | undefined): Promise<() => void> {
  for (;;) {
    try {
      return lockFile(path)
    } catch (error) {
      if (signal?.aborted === true) throw error
      await new Promise((done) => setTimeout(done, LOCK_RETRY_MS))
    }
  }
}

/** Why it failed, in a sentence; undefined when it did not. */
function runBuild(
  project: string,
  logFile: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const log = openSync(logFile, 'w')
  // A group of its own, so that whatever it has started ends with it.
  const child = spawn('npm', ['run', 'build'], {
    cwd: project,
    env: environmentOfItsOwn(),
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  return new Promise((done) => {
    const end = (reason: string | undefined) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      if (child.exitCode === null && child.pid !== undefined) killGroup(child.pid)
      done(reason)
    }
    const abort = () => end('it was given up')
    const timer = setTimeout(() => end('it took more than five minutes'), BUILD_TIMEOUT_MS)
    signal?.addEventListener('abort', abort)
    child.once('error', (error) => end(error.message))
    child.once('exit', (code) => end(code === 0 ? undefined : lastWords(logFile)))
  })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

// `npm start -w …` hands its own -w on, and this one is of the project it runs in.
function environmentOfItsOwn(): NodeJS.ProcessEnv {
  const ofTheOuterCall =
    /^npm_config_(workspace|workspaces|include_workspace_root|prefix|local_prefix)$/
  const own = Object.entries(process.env).filter(([name]) => !ofTheOuterCall.test(name))
  return { ...Object.fromEntries(own), NO_COLOR: '1' }
}

// What builders say before they say what is wrong.
const GENERAL = /^(npm |\W*build failed|error during build)/i

/** The line of a builder's log that tells most: its first that speaks of what is wrong. */
function lastWords(logFile: string): string {
  const lines = stripVTControlCharacters(readFileSync(logFile, 'utf8')).split('\n')
  const told = lines.map((line) => line.trim()).filter((line) => line !== '' && !GENERAL.test(line))
  const wrong = told.find((line) => /error|cannot|could not|expected|failed|invalid/i.test(line))
  return wrong ?? told.at(-1) ?? 'it said nothing'
}
