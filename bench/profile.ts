/** Owns profiles: where each process of a shop spends its CPU, by its own time in functions. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Shop } from '../tools/start/shop.ts'
import { textTable } from './report.ts'

type CallFrame = { functionName: string; url: string; lineNumber: number }
/** What `node --cpu-prof` writes, as far as it is read. */
export type Profile = {
  nodes: { id: number; callFrame: CallFrame }[]
  samples: number[]
  timeDeltas: number[]
}

export type Profiling = {
  /** Notes which process is which; what they did until now is left out. */
  note: (shop: Shop) => void
  /** Tells the functions that cost most, once the shop has stopped. */
  tell: () => void
}

const TOP = 15
const CHECKOUT = `${resolve(import.meta.dirname, '..')}/`

/** Makes every Node process that is started from now on write a profile when it ends. */
export function startProfiling(): Profiling {
  const folder = mkdtempSync(join(tmpdir(), 'quartet-profile-'))
  process.env['NODE_OPTIONS'] = `--cpu-prof --cpu-prof-dir=${folder}`
  const noted = new Map<number, { name: string; skipUs: number }>()
  return {
    note(shop) {
      delete process.env['NODE_OPTIONS']
      for (const [name, kept] of shop.processes) {
        const pid = kept.pid()
        if (pid === undefined || noted.has(pid)) continue
        noted.set(pid, { name, skipUs: (Date.now() - kept.startedAtMs()) * 1_000 })
      }
    },
    tell() {
      for (const [pid, { name, skipUs }] of noted) {
        const file = readdirSync(folder).find((each) => each.split('.').at(3) === String(pid))
        if (file === undefined) continue
        const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile
        console.log(`\n${name}\n${textTable(topFunctions(profile, skipUs)).join('\n')}`)
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The functions with the most own time after the first `skipUs`: what, how long, share of all but idleness. */
export function topFunctions({ nodes, samples, timeDeltas }: Profile, skipUs: number): string[][] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, describe(callFrame)]))
  const spentUs = new Map<string, number>()
  let sinceStartUs = 0
  for (const [index, id] of samples.entries()) {
    const deltaUs = timeDeltas[index] ?? 0
    sinceStartUs += deltaUs
    if (sinceStartUs <= skipUs) continue
    const name = frames.get(id) ?? ''
    spentUs.set(name, (spentUs.get(name) ?? 0) + deltaUs)
  }
  spentUs.delete('(idle)')
  const all = [...spentUs.values()].reduce((sum, each) => sum + each, 0)
  return [...spentUs]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([name, us]) => [
      name,
      `${(us / 1_000).toFixed(0)} ms`,
      `${((us / all) * 100).toFixed(1)} %`,
    ])
}

function describe({ functionName, url, lineNumber }: CallFrame): string {
  if (url === '') return functionName
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  const short = path.replace(CHECKOUT, '').replace(/^.*node_modules\//, '')
  return `${functionName || '(anonymous)'} ${short}:${lineNumber + 1}`
}
