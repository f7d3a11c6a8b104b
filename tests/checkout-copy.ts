/** Owns copies of this repository, of now or of a commit, whose code runs: on their own workspaces, and on our packages. */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Explained } from '../tools/explained.ts'

const CHECKOUT = path.resolve(import.meta.dirname, '..')
const MODULES = path.join(CHECKOUT, 'node_modules')
const OWN_SCOPE = '@quartet'
const MAX_ARCHIVE_BYTES = 256 * 1024 * 1024

export type CheckoutCopy = {
  /** Where it is: run its programs by their paths in here. */
  folder: string
  /** The text of a file, by its path in the repository. */
  read: (file: string) => string
  write: (file: string, text: string) => void
  close: () => void
}

/**
 * Copies the working tree as git knows it (what is committed, changed or new, and not ignored), or a
 * commit, into a folder of its own. `node services/orders/src/main.ts` and `node --test kit/ids.test.ts`
 * run in it as they do here, and import the copy's kit; a test that runs tests takes `NODE_TEST_CONTEXT`
 * out of their environment. Throws a sentence when a commit, or a package that it wants, isn't here.
 */
export function copyCheckout({ commit }: { commit?: string } = {}): CheckoutCopy {
  // By its real name: modules know themselves by it.
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'quartet-checkout-')))
  const close = () => rmSync(folder, { recursive: true, force: true })
  try {
    if (commit === undefined) copyWorkingTree(folder)
    else unpack(commit, folder)
    requireInstalled(folder)
    linkModules(folder)
  } catch (error) {
    close()
    throw error
  }
  return {
    folder,
    read: (file) => readFileSync(path.join(folder, file), 'utf8'),
    write: (file, text) => writeFileSync(path.join(folder, file), text),
    close,
  }
}

function copyWorkingTree(folder: string): void {
  const files = git('ls-files', '-co', '-z', '--exclude-standard').toString().split('\0')
  for (const file of files) {
    const from = path.join(CHECKOUT, file)
    if (file === '' || !existsSync(from)) continue // one that was deleted, and not yet committed
    cpSync(from, path.join(folder, file))
  }
}

function unpack(commit: string, folder: string): void {
  const archive = git('archive', '--format=tar', commit)
  const tar = spawnSync('tar', ['-x', '-C', folder], { input: archive, encoding: 'utf8' })
  if (tar.status !== 0) throw new Explained(`${commit} cannot be unpacked: ${tar.stderr}`)
}

/** What git answers in this checkout; throws a sentence where it refuses. */
export function git(...args: string[]): Buffer {
  const { status, stdout, stderr, error } = spawnSync('git', args, {
    cwd: CHECKOUT,
    maxBuffer: MAX_ARCHIVE_BYTES,
  })
  if (status === 0) return stdout
  throw new Explained(`git ${args.join(' ')}: ${error?.message ?? stderr.toString().trim()}`)
}

type Manifest = { name: string; workspaces?: string[]; dependencies?: Record<string, string> }

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest

function workspacesOf(folder: string): string[] {
  const patterns = manifestOf(folder).workspaces ?? []
  return patterns
    .flatMap((pattern) => globSync(`${pattern}/package.json`, { cwd: folder }))
    .map((file) => path.join(folder, path.dirname(file)))
}

/** Throws a sentence when what runs in a copy wants a version of a package that isn't installed here. */
export function requireInstalled(folder: string): void {
  const running = workspacesOf(folder).filter((each) => !each.startsWith(path.join(folder, 'web/')))
  const missing = running.flatMap((workspace) => {
    const { name, dependencies = {} } = manifestOf(workspace)
    return Object.entries(dependencies)
      .filter(([wanted]) => !wanted.startsWith(`${OWN_SCOPE}/`))
      .map(([wanted, version]) => ({ wanted, version, installed: versionOf(wanted) }))
      .filter(({ version, installed }) => version !== installed)
      .map(
        ({ wanted, version, installed = 'none' }) =>
          `${name} wants ${wanted} ${version}, and ${installed} is installed here.`,
      )
  })
  if (missing.length > 0) throw new Explained([...new Set(missing)].join('\n'))
}

function versionOf(name: string): string | undefined {
  const file = path.join(MODULES, name, 'package.json')
  if (!existsSync(file)) return undefined
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

// Packages lead to ours, workspaces to the copy's own: Node runs no TypeScript whose real place is
// below a node_modules, so both must stay links.
function linkModules(folder: string): void {
  const modules = path.join(folder, 'node_modules')
  const link = (target: string, ...name: string[]) =>
    symlinkSync(target, path.join(modules, ...name))
  mkdirSync(path.join(modules, OWN_SCOPE), { recursive: true })
  for (const entry of readdirSync(MODULES)) {
    if (entry === OWN_SCOPE || (entry.startsWith('.') && entry !== '.bin')) continue
    link(path.join(MODULES, entry), entry)
  }
  for (const workspace of workspacesOf(folder)) {
    link(path.relative(path.join(modules, OWN_SCOPE), workspace), manifestOf(workspace).name)
  }
}
