/** Owns the load: what is sent, by which generator, and what came back. The generator is another process. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Request n goes by `paths[n]`, with `headers[n]` and `bodies[n]`; each list begins again at its end. */
export type Load = {
  origin: string
  method: 'GET' | 'POST'
  paths: readonly string[]
  headers: readonly Record<string, string>[]
  /** None: nothing is sent with the request. */
  bodies: readonly string[]
  /** Begins the Idempotency-Key of each request, which its number ends. */
  keyPrefix?: string
  /** Counts every status; else only failures, which spares the generator's CPU. */
  countStatuses?: boolean
  connections: number
  seconds: number
}

export type LoadResult = {
  durationMs: number
  requests: number
  /** Connections lost, time-outs and statuses from 400. */
  failed: number
  p50Ms: number
  p99Ms: number
  maxMs: number
  /** How often each came, where that was asked for. */
  statuses: Record<string, number>
  /** The body of an answer that was no success. */
  example?: string
}
export type Generator = 'wrk' | 'undici'

const WRK = 'wrk'
const WRK_SCRIPT = join(import.meta.dirname, 'load-wrk.lua')
const UNDICI_SCRIPT = fileURLToPath(new URL('load-undici.ts', import.meta.url))

/** wrk where it is installed, else a generator of ours on undici. */
export function findGenerator(): Generator {
  return spawnSync(WRK, ['-v'], { stdio: 'ignore' }).error === undefined ? 'wrk' : 'undici'
}

/** Sends a load from another process, and waits for its end. */
export async function send(generator: Generator, load: Load): Promise<LoadResult> {
  const folder = mkdtempSync(join(tmpdir(), 'quartet-load-'))
  try {
    const plan = join(folder, 'plan')
    writeFileSync(plan, generator === 'wrk' ? toLua(load) : JSON.stringify(load))
    const output = await run(generator === 'wrk' ? wrkCommand(load, plan) : undiciCommand(plan))
    const [line = '', ...example] = output.trim().split('\n')
    return { ...(JSON.parse(line) as LoadResult), example: example.join(' ').slice(0, 500) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function wrkCommand({ origin, connections, seconds }: Load, plan: string): string[] {
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s']
  return [WRK, ...options, '-s', WRK_SCRIPT, origin, '--', plan]
}

const undiciCommand = (plan: string) => [process.execPath, UNDICI_SCRIPT, plan]

// Both generators tell their result on standard error: wrk keeps the other for itself.
function run([command = '', ...args]: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let output = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${command} ended with ${code}: ${output}`))
    })
  })
}

/** A load as the Lua table that load-wrk.lua reads: requests cut in two where the key stands. */
function toLua(load: Load): string {
  const { paths, headers, bodies, method, origin } = load
  const lines = (fields: Record<string, string>) =>
    Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const start = (n: number) =>
    [
      `${method} ${paths[n % paths.length]} HTTP/1.1\r\nHost: ${new URL(origin).host}\r\n`,
      ...lines(headers[n % headers.length] ?? {}),
      load.keyPrefix === undefined ? '' : 'Idempotency-Key: ',
    ].join('')
  const end = (body: string) => {
    const length = bodies.length === 0 ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
    return `${load.keyPrefix === undefined ? '' : '\r\n'}${length}\r\n${body}`
  }
  const heads = Array.from({ length: Math.max(paths.length, headers.length) }, (_, n) => start(n))
  const tails = bodies.length === 0 ? [end('')] : bodies.map(end)
  const list = (texts: string[]) => `{${texts.map(luaText).join(',\n')}}`
  const key = load.keyPrefix === undefined ? 'nil' : luaText(load.keyPrefix)
  return `return {\ncount = ${load.countStatuses === true}, key = ${key},\nheads = ${list(heads)},\ntails = ${list(tails)}\n}\n`
}

const luaText = (text: string) =>
  `"${text.replaceAll(/[\\"\r\n]/g, (character) => `\\${character.codePointAt(0)}`)}"`
