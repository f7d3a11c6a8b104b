/** Owns webhooks: what the record says and its caller wasn't told is sent, until it has arrived. */
import type { Log } from '@quartet/kit/log'
import type { Random } from '@quartet/kit/random'
import type { Clock, Timers } from '@quartet/kit/time'
import { withTimeout } from '@quartet/kit/timeout'
import type { Fetch } from '@quartet/kit/world'
import type { Book } from './book.ts'
import type { RecordEntry } from './contract.ts'
import type { DurableRecord } from './record.ts'
import { cardBehaviour, LATE_WEBHOOK_MS } from './test-tokens.ts'
import { signatureOf, toEvent, toldOf, type Told } from './webhook-event.ts'
import { keepPosition, readPosition } from './webhook-position.ts'
import { createQueue, type Delivery } from './webhook-queue.ts'

/** Where webhooks go, and the secrets that sign them: the newest, and those that it replaces. */
export type WebhookTarget = { url: string; secrets: string[]; fetch: Fetch }

type Outcome = 'arrived' | 'failed' | 'given_up'

export type WebhookOptions = {
  target: WebhookTarget
  book: Book
  record: DurableRecord
  /** The file of the position. */
  path: string
  /** Called with what became of each try. */
  count: (outcome: Outcome) => void
  clock: Clock
  timers: Timers
  random: Random
  log: Log
}

export type Webhooks = {
  /** Takes entries as they become durable. */
  tell: (entries: RecordEntry[]) => void
  /** Resolves when these charges' webhooks have arrived, or when whoever waits for an answer must have it. */
  arrived: (keys: string[]) => Promise<void>
  /** How many have not arrived. */
  waiting: () => number
  stop: () => Promise<void>
}

/** Nowhere to tell anything. */
export const noWebhooks: Webhooks = {
  tell() {},
  arrived: () => Promise.resolve(),
  waiting: () => 0,
  stop: () => Promise.resolve(),
}

const TIMEOUT_MS = 10_000
const HOLD_MS = 5_000
// As long as Stripe tries. What never arrived is found by whoever asks.
const GIVE_UP_MS = 3 * 24 * 3_600_000

/** Begins behind the position. `earlier` are the entries of the record that are told, those before it too. */
export async function openWebhooks(
  options: WebhookOptions,
  earlier: RecordEntry[],
): Promise<Webhooks> {
  const { book, timers, count } = options
  const first = await firstPosition(options)
  const position = keepPosition(options, first)
  await position.write() // so that one that is killed at its first start has begun here too
  const stopping = new AbortController()
  const post = createPost(options, stopping.signal)
  const queue = createQueue({
    ...options,
    async send(delivery) {
      const outcome = await post(delivery)
      count(outcome)
      if (outcome === 'failed') return false
      position.done(delivery.sequence)
      return true
    },
  })

  function tell(entries: RecordEntry[]): void {
    for (const entry of entries) {
      const told = toldOf(entry, book.charges.get(entry.charge_key))
      if (told === undefined) continue
      position.add(entry.sequence)
      queue.add(toDelivery(told))
    }
  }

  tell(earlier.filter(({ sequence }) => sequence > first))
  return {
    tell,
    async arrived(keys) {
      if (keys.length === 0) return
      await Promise.race([Promise.all(keys.map(queue.empty)), timers.sleep(HOLD_MS)])
    },
    waiting: queue.waiting,
    async stop() {
      queue.stop()
      stopping.abort()
      await position.close()
    },
  }
}

async function firstPosition(options: WebhookOptions): Promise<number> {
  const end = options.book.sequence
  // What happened before there were webhooks is not told; a position past the end is another record's.
  const position = (await readPosition(options)) ?? end
  return position > end ? 0 : position
}

const behaviourOf = ({ charge }: Told) => cardBehaviour(charge.made.request.payment_method)

function toDelivery(told: Told): Delivery {
  const { sequence, at, charge_key: key } = told.entry
  const atMs = Date.parse(at)
  const lateMs = behaviourOf(told).webhook === 'late' ? LATE_WEBHOOK_MS : 0
  return { key, sequence, atMs, dueAtMs: atMs + lateMs }
}

/** Sends one event, as often as its test token says; never rejects. */
function createPost(options: WebhookOptions, stopping: AbortSignal) {
  const { book, record, clock, log } = options
  return async ({ key, sequence, atMs }: Delivery): Promise<Outcome> => {
    try {
      const [entry] = await record.read(sequence - 1, 1)
      const told = entry && toldOf(entry, book.charges.get(key))
      if (told === undefined) throw new Error('the record has nothing to tell here')
      const body = JSON.stringify(toEvent(told))
      const copies = behaviourOf(told).webhook === 'twice' ? [body, body] : [body]
      await Promise.all(copies.map((copy) => postOnce(options, copy, stopping)))
      return 'arrived'
    } catch (error) {
      if (stopping.aborted) return 'failed'
      const isOver = clock.now() - atMs > GIVE_UP_MS
      const fields = { error, sequence }
      if (isOver) log.error(fields, 'a webhook is given up')
      else log.warn(fields, 'a webhook did not arrive; it is sent again')
      return isOver ? 'given_up' : 'failed'
    }
  }
}

function postOnce(
  { target, clock, timers }: WebhookOptions,
  body: string,
  stopping: AbortSignal,
): Promise<void> {
  return withTimeout(timers, TIMEOUT_MS, async (late) => {
    const response = await target.fetch(target.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'provider-signature': signatureOf(body, target.secrets, clock.now()),
      },
      body,
      signal: AbortSignal.any([late, stopping]),
      redirect: 'manual', // it was signed for this address alone
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`the shop answered ${response.status}`)
  })
}
