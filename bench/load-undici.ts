/** Owns the load generator for where wrk is not installed: one connection a client, one request at a time. */
import { readFileSync } from 'node:fs'
import { Client, type Dispatcher } from 'undici'
import type { Load, LoadResult } from './load.ts'
import { percentile } from './percentile.ts'

type Answer = { status: number; example: string }

const at = <Item>(list: readonly Item[], index: number) => list[index % list.length]

function ask(client: Client, load: Load, index: number): Promise<Answer> {
  const { method, paths, headers, bodies, keyPrefix } = load
  const key = keyPrefix === undefined ? {} : { 'idempotency-key': `${keyPrefix}${index + 1}` }
  const options: Dispatcher.DispatchOptions = {
    method,
    path: at(paths, index) ?? '/',
    headers: { ...at(headers, index), ...key },
    body: at(bodies, index) ?? null,
  }
  return new Promise((resolve, reject) => {
    let status = 0
    let example = ''
    client.dispatch(options, {
      onRequestStart() {},
      onResponseStart(_controller, statusCode) {
        status = statusCode
      },
      onResponseData(_controller, chunk) {
        if (status >= 300) example += chunk.toString()
      },
      onResponseEnd: () => resolve({ status, example }),
      onResponseError: (_controller, error) => reject(error),
    })
  })
}

async function run(load: Load): Promise<LoadResult> {
  const latenciesMs: number[] = []
  const statuses: Record<string, number> = {}
  let sent = 0
  let failed = 0
  let example = ''
  const startedMs = performance.now()
  const endMs = startedMs + load.seconds * 1_000
  const client = async () => {
    const connection = new Client(load.origin, { pipelining: 1 })
    while (performance.now() < endMs) {
      const fromMs = performance.now()
      sent += 1
      const answer = await ask(connection, load, sent - 1).catch((error: unknown) => ({
        status: 0,
        example: String(error),
      }))
      latenciesMs.push(performance.now() - fromMs)
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1
      if (answer.status === 0 || answer.status >= 400) failed += 1
      example ||= answer.example
    }
    await connection.destroy()
  }
  await Promise.all(Array.from({ length: load.connections }, client))
  return {
    durationMs: performance.now() - startedMs,
    requests: latenciesMs.length,
    failed,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    maxMs: percentile(latenciesMs, 1),
    statuses,
    example: example.replaceAll('\n', ' '),
  }
}

const [file = ''] = process.argv.slice(2)
const { example, ...result } = await run(JSON.parse(readFileSync(file, 'utf8')) as Load)
console.error(`${JSON.stringify(result)}\n${example}`)
