/** Owns what the tests stand on: a processor in this process, on a file of its own, with a clock that they move. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import { silentLog, type Log } from '@quartet/kit/log'
import { realRandom } from '@quartet/kit/random'
import type { Clock, Timers } from '@quartet/kit/time'
import { createProvider } from './app.ts'
import { answers, recordPage, totals, type ChargeRequest } from './contract.ts'
import type { OpenFile } from './record.ts'
import type { WebhookTarget } from './webhooks.ts'

export const API_KEY = 'sk_test_0123456789abcdef'

export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'quartet-provider-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** A clock and timers that only `advance` moves. */
export function heldTime(): { clock: Clock; timers: Timers; advance: (ms: number) => void } {
  let nowMs = Date.parse('2030-01-01T00:00:00Z')
  let waiting: { dueMs: number; action: () => void }[] = []
  const after: Timers['after'] = (delayMs, action) => {
    const timer = { dueMs: nowMs + delayMs, action }
    waiting.push(timer)
    return () => {
      waiting = waiting.filter((other) => other !== timer)
    }
  }
  return {
    clock: { now: () => nowMs },
    timers: {
      after,
      sleep: (ms) =>
        new Promise((resolve) => {
          after(ms, resolve)
        }),
    },
    advance(ms) {
      nowMs += ms
      const due = waiting.filter(({ dueMs }) => dueMs <= nowMs)
      waiting = waiting.filter(({ dueMs }) => dueMs > nowMs)
      for (const { action } of due) action()
    },
  }
}

export type OpenOptions = {
  dataFile: string
  openFile?: OpenFile
  log?: Log
  /** How much later than the others this one starts. */
  laterMs?: number
  webhooks?: WebhookTarget
  returnOrigins?: string[]
}

/** Starts a processor on `dataFile`; `stop` it before the file is opened again. */
export async function openProvider({
  dataFile,
  openFile,
  log = silentLog,
  laterMs = 0,
  ...options
}: OpenOptions) {
  const { clock, timers, advance } = heldTime()
  advance(laterMs)
  const provider = createProvider({
    ...options,
    dataFile,
    apiKey: API_KEY,
    clock,
    timers,
    random: realRandom,
    log,
    publicUrl: 'http://provider.test',
    ...(openFile === undefined ? {} : { openFile }),
  })
  await provider.start()
  const fetch = (path: string, init?: RequestInit) =>
    provider.fetch(new Request(`http://provider.test${path}`, init))
  return { fetch, stop: provider.stop, clock, advance, ...createClient(fetch) }
}

/** The API as functions that check every answer by the contract. */
export function createClient(fetch: (path: string, init?: RequestInit) => Promise<Response>) {
  const authorization = `Bearer ${API_KEY}`
  const read = async <Schema extends z.ZodType>(
    response: Response,
    schema: Schema,
  ): Promise<z.output<Schema>> => {
    if (response.ok) return schema.parse(await response.json())
    throw new Error(`${response.status}: ${await response.text()}`)
  }
  const post = (path: string, body: unknown) =>
    fetch(path, { method: 'POST', headers: { authorization }, body: JSON.stringify(body) })
  const get = (path: string) => fetch(path, { headers: { authorization } })
  return {
    post,
    get,
    charge: async (...charges: ChargeRequest[]) =>
      (await read(await post('/v1/charges', { charges }), answers.charges)).outcomes,
    capture: async (charge_key: string, amount: number) =>
      (
        await read(
          await post('/v1/captures', { captures: [{ charge_key, amount }] }),
          answers.captures,
        )
      ).outcomes[0],
    cancel: async (charge_key: string) =>
      (await read(await post('/v1/cancels', { cancels: [{ charge_key }] }), answers.cancels))
        .outcomes[0],
    refund: async (key: string, charge_key: string, amount: number) =>
      (
        await read(
          await post('/v1/refunds', { refunds: [{ key, charge_key, amount }] }),
          answers.refunds,
        )
      ).outcomes[0],
    lookup: async (...keys: string[]) =>
      (await read(await post('/v1/lookups', { keys }), answers.lookups)).outcomes,
    record: async (query = '') => read(await get(`/v1/record${query}`), recordPage),
    totals: async () => read(await get('/v1/totals'), totals),
  }
}

/** A charge of 19.99 USD by a card that works, unless said otherwise. */
export function aCharge(key: string, changes: Partial<ChargeRequest> = {}): ChargeRequest {
  return {
    key,
    amount: 1_999,
    currency: 'USD',
    payment_method: 'pm_card_visa',
    capture_method: 'automatic',
    metadata: { payment_id: key },
    ...changes,
  }
}
