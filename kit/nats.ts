/** Owns NATS JetStream as a broker: a stream for each log, a durable consumer for each of its readers. */
import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  StorageType,
  type Consumer,
  type JsMsg,
} from '@nats-io/jetstream'
import { headers, nanos } from '@nats-io/transport-node'
import type { Broker, Message } from './broker.ts'
import { gathered } from './gathered.ts'
import { createConnector, type Connection, type ConnectionOptions } from './nats-connection.ts'

export type NatsOptions = ConnectionOptions & {
  /** Begins the names of streams and subjects. */
  prefix: string
  /** Copies of each stream, in a cluster. */
  replicas: number
}

// A stream is of use for as long as it takes to read it; the log itself is kept by its service.
const MAX_AGE_MS = 24 * 3_600_000
const MAX_BYTES = 256 * 1024 * 1024
const DUPLICATE_WINDOW_MS = 120_000
/** A reader that is gone for so long begins with what is new, after the feed. */
const FORGOTTEN_MS = 7 * MAX_AGE_MS

const MAX_TOGETHER = 500
const PULL_MS = 5_000
/** What a message takes beside its text. */
const MAX_HEADERS_BYTES = 1_024

/** Nothing is connected before the first use. */
export function createNats({ prefix, replicas, ...options }: NatsOptions): Broker {
  const connector = createConnector(options)
  const streamOf = (log: string): Stream => ({
    name: `${prefix}_${log}`.toUpperCase(),
    subject: `${prefix}.${log}`,
    replicas,
  })
  return {
    async publish(log, messages) {
      await publish(await connector.get(), streamOf(log), messages)
    },
    async *follow(log, reader, stopping) {
      yield* follow(await connector.get(), streamOf(log), reader, stopping)
    },
    isConnected: connector.isConnected,
    close: connector.close,
  }
}

/** A log's stream; its messages bear the subject and their type. */
type Stream = { name: string; subject: string; replicas: number }

async function publish(at: Connection, stream: Stream, messages: Message[]): Promise<void> {
  if (!at.streams.has(stream.name)) await findOrAddStream(at, stream)
  const room = (at.nc.info?.max_payload ?? 0) - MAX_HEADERS_BYTES
  // What is too large for the broker is a gap, which the feed fills.
  const fitting = messages.filter(({ text }) => Buffer.byteLength(text) <= room)
  const last = fitting.pop()
  if (last === undefined) return
  const subjectOf = ({ type }: Message) => `${stream.subject}.${type}`
  for (const message of fitting) {
    const about = headers()
    about.set('Nats-Msg-Id', message.id)
    at.nc.publish(subjectOf(message), message.text, { headers: about })
  }
  // They go one way, in order, so the acknowledgement of the last tells of all. One for each costs
  // five times as much; and what a change of leaders swallows in between is a gap, too.
  try {
    await at.client.publish(subjectOf(last), last.text, { msgID: last.id })
  } catch (error) {
    at.streams.delete(stream.name) // it may be gone
    throw error
  }
}

async function findOrAddStream({ manager, streams }: Connection, stream: Stream): Promise<void> {
  await manager.streams.info(stream.name).catch((error: unknown) => {
    if (!isMissing(error)) throw error
    return manager.streams.add({
      name: stream.name,
      subjects: [`${stream.subject}.>`],
      storage: StorageType.File,
      num_replicas: stream.replicas,
      max_age: nanos(MAX_AGE_MS),
      max_bytes: MAX_BYTES,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    })
  })
  streams.add(stream.name)
}

async function* follow(
  at: Connection,
  stream: Stream,
  reader: string,
  stopping: AbortSignal,
): AsyncGenerator<string[]> {
  const consumer = await findOrAddConsumer(at, stream.name, reader)
  const messages = await consumer.consume({
    max_messages: MAX_TOGETHER,
    expires: PULL_MS,
    abort_on_missing_resource: true,
  })
  const close = () => void messages.close()
  if (stopping.aborted) close()
  stopping.addEventListener('abort', close, { once: true })
  try {
    for await (const together of gathered<JsMsg>(messages, MAX_TOGETHER)) {
      yield together.map((message) => message.string())
    }
  } finally {
    stopping.removeEventListener('abort', close)
    close()
  }
  if (!stopping.aborted) throw new Error('the connection to the broker was lost')
}

/**
 * A consumer that wants nothing acknowledged: how far a reader is stands in its own database, and what
 * is lost on the way to it is a gap. It begins with what is new: the feed has what was before.
 */
async function findOrAddConsumer(
  { client, manager }: Connection,
  stream: string,
  reader: string,
): Promise<Consumer> {
  try {
    return await client.consumers.get(stream, reader)
  } catch (error) {
    if (!isMissing(error)) throw error
    await manager.consumers.add(stream, {
      durable_name: reader,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.New,
      inactive_threshold: nanos(FORGOTTEN_MS),
    })
    return client.consumers.get(stream, reader)
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError &&
  (error.code === JetStreamApiCodes.StreamNotFound ||
    error.code === JetStreamApiCodes.ConsumerNotFound)
