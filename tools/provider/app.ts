/** Owns the processor as a whole: a record, the book it adds up to, and the routes in front of them. */
import type { Hono } from 'hono'
import { createIds } from '@quartet/kit/ids'
import type { Log } from '@quartet/kit/log'
import { Problem } from '@quartet/kit/problem'
import { countOutcomes, createMetrics, gauge, type Metrics } from '@quartet/kit/telemetry'
import type { Random } from '@quartet/kit/random'
import type { Clock, Timers } from '@quartet/kit/time'
import { emptyBook, replay } from './book.ts'
import { createCommitter } from './committer.ts'
import type { RecordEntry } from './contract.ts'
import { createHttp, toFetch } from './http.ts'
import { openRecord, type OpenFile } from './record.ts'
import { addRoutes, type Running } from './routes.ts'
import { createSlowCards } from './slow-cards.ts'
import { toldOf } from './webhook-event.ts'
import { noWebhooks, openWebhooks, type WebhookOptions, type WebhookTarget } from './webhooks.ts'

export type ProviderOptions = {
  /** The record; a lock file `<dataFile>.lock` appears beside it. */
  dataFile: string
  apiKey: string
  clock: Clock
  timers: Timers
  random: Random
  log: Log
  /** Where customers reach `/challenges/…`, without a trailing slash. */
  publicUrl: string
  /** Who learns of what no answer told; absent: nobody. `<dataFile>.webhooks` appears beside the record. */
  webhooks?: WebhookTarget | undefined
  /** Origins of shops that customers may be sent back to. */
  returnOrigins?: string[] | undefined
  /** How the record's file is opened; tests pass a disk that is full. */
  openFile?: OpenFile
}

export type Provider = {
  fetch: ReturnType<typeof toFetch>
  /** Opens the record; rejects with RecordRefused when it is damaged or in use. */
  start: () => Promise<void>
  /** Ends what runs, refuses what comes later, closes the record. */
  stop: () => Promise<void>
}

/** The card processor. `fetch` answers 503 before `start` and after `stop`. */
export function createProvider(options: ProviderOptions): Provider {
  const { clock, random, publicUrl, returnOrigins = [] } = options
  const metrics = createMetrics('provider')
  const http: Hono = createHttp({ ...options, metrics })
  let running: Running | undefined
  let end = async () => {}
  addRoutes(http, {
    metrics,
    clock,
    publicUrl,
    returnOrigins,
    newId: createIds(clock, random).next,
    running: () => running,
    expectRunning() {
      if (running !== undefined) return running
      throw new Problem('unavailable', 'Not ready', { retryAfterS: 1 })
    },
  })
  measure(metrics, () => running)
  const opening = { ...options, onCommitted: countEntries(metrics), count: countWebhooks(metrics) }
  return {
    fetch: toFetch(http),
    async start() {
      const opened = await openAll(opening)
      running = opened.running
      end = opened.end
    },
    async stop() {
      running = undefined
      await end()
      end = async () => {}
    },
  }
}

type Opening = ProviderOptions & {
  onCommitted: (entries: RecordEntry[]) => void
  count: WebhookOptions['count']
}

async function openAll({ dataFile, log, openFile, onCommitted, ...options }: Opening) {
  const { clock, timers, webhooks: target } = options
  const book = emptyBook()
  const told: RecordEntry[] = []
  const onEntry = (entry: RecordEntry) => {
    replay(book, entry)
    const isTold = target !== undefined && toldOf(entry, book.charges.get(entry.charge_key))
    if (isTold) told.push(entry)
  }
  const record = await openRecord({ path: dataFile, log, onEntry, openFile })
  const path = `${dataFile}.webhooks`
  const webhooks =
    target === undefined
      ? noWebhooks
      : await openWebhooks({ ...options, target, book, record, path, log }, told)
  const { commit, stop } = createCommitter({
    book,
    record,
    clock,
    log,
    onCommitted(entries) {
      onCommitted(entries)
      slowCards.wake()
      webhooks.tell(entries)
    },
  })
  const slowCards = createSlowCards({ book, clock, timers, commit })
  slowCards.wake()
  log.info({ entries: book.sequence, charges: book.charges.size }, 'the record is open')
  const end = async () => {
    slowCards.stop()
    await webhooks.stop()
    await stop()
    await record.close()
  }
  return { running: { book, record, commit, webhooks }, end }
}

function countEntries(metrics: Metrics): (entries: RecordEntry[]) => void {
  const name = 'provider_entries_total'
  const counter = countOutcomes(metrics, name, 'Entries made durable since the start, by type.')
  const fsyncs = countOutcomes(
    metrics,
    'provider_groups_total',
    'Groups of entries, one fsync each.',
  )
  return (entries) => {
    if (entries.length > 0) fsyncs.inc({ outcome: 'durable' })
    for (const { type } of entries) counter.inc({ outcome: type })
  }
}

function countWebhooks(metrics: Metrics): WebhookOptions['count'] {
  const help = 'Webhooks since the start, by what became of each try.'
  const counter = countOutcomes(metrics, 'provider_webhooks_total', help)
  return (outcome) => counter.inc({ outcome })
}

function measure(metrics: Metrics, running: () => Running | undefined): void {
  const bytes = () => running()?.record.sizeBytes() ?? 0
  gauge(metrics, 'provider_record_bytes', 'Size of the durable record.', bytes)
  const waiting = () => running()?.webhooks.waiting() ?? 0
  gauge(metrics, 'provider_webhooks_waiting', 'Webhooks that have not arrived.', waiting)
}
