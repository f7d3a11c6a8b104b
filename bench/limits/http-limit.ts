/** Owns the measurement of bare node:http: the same requests and answers as a service's, with nothing in between. */
import { request } from 'node:http'
import { join } from 'node:path'
import { send, type Generator } from '../load.ts'
import type { Target } from '../measure.ts'
import type { Requests } from '../stage.ts'
import type { CannedAnswer } from './bare-http.ts'
import { startChild } from './child.ts'

export type HttpLimit = { origin: string; target: Target; close: () => Promise<void> }

/** Learns an answer from a service, and serves that answer to the same requests. */
export async function openHttpLimit(
  name: string,
  generator: Generator,
  load: Requests,
): Promise<HttpLimit> {
  const child = startChild(join(import.meta.dirname, 'bare-http.ts'))
  const { port } = await child.ask<{ port: number }>(await askOnce(load))
  const origin = `http://127.0.0.1:${port}`
  const key = load.method === 'POST' ? { keyPrefix: 'limit-' } : {}
  const target: Target = {
    name,
    send: (amount) => send(generator, { ...load, ...amount, ...key, origin, countStatuses: false }),
    watched: { pids: { limit: child.pid } },
    share: 0.5,
  }
  return { origin, target, close: child.close }
}

// What node:http adds by itself is left to it.
const OWN_HEADERS = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding'])

function askOnce({ origin, method, paths, headers, bodies }: Requests): Promise<CannedAnswer> {
  const options = { method, headers: { ...headers[0], 'idempotency-key': 'for-the-limit' } }
  return new Promise((resolve, reject) => {
    const sent = request(`${origin}${paths[0]}`, options, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => {
        const kept = Object.entries(response.headers).filter(([name]) => !OWN_HEADERS.has(name))
        const told = kept.map(([name, value]) => [name, String(value)])
        const length = ['content-length', String(Buffer.byteLength(body))]
        const answerHeaders = Object.fromEntries([...told, length]) as Record<string, string>
        resolve({ status: response.statusCode ?? 0, headers: answerHeaders, body })
      })
    })
    sent.on('error', reject)
    sent.end(bodies[0])
  })
}
