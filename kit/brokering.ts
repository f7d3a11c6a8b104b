/** Owns a service's part at a broker, as one piece: it publishes its events, reads those of others, and tells how that goes. */
import { Counter } from 'prom-client'
import type { Bell } from './bell.ts'
import type { Broker } from './broker.ts'
import { createBrokerPages } from './broker-pages.ts'
import type { FeedOptions, Pages } from './feed-reader.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import { gauge, type Metrics } from './telemetry.ts'
import type { World } from './world.ts'

export type Brokering = Pick<Publisher, 'start' | 'stop'> & {
  /** Another service's events, as they come by the broker, or by its feed. */
  pagesOf: (options: FeedOptions) => Pages
}

export type BrokeringOptions = {
  name: string
  broker: Broker
  /** Rung when events were numbered here. */
  bell: Bell
  logId: () => Promise<string>
  metrics: Metrics
}

export function createBrokering(world: World<unknown>, options: BrokeringOptions): Brokering {
  const { name, broker, metrics } = options
  const publisher = createPublisher(world, options)
  gauge(metrics, 'broker_connected', '1 while there is a connection to the broker.', () =>
    Number(broker.isConnected()),
  )
  gauge(
    metrics,
    'events_unpublished_seconds',
    'For how long the oldest event has waited that the broker should have; 0 for none.',
    () => publisher.waitingMs() / 1_000,
  )
  const read = new Counter({
    name: 'events_read_total',
    help: 'Events read of another service, those that are passed over too, by the way they came.',
    labelNames: ['source', 'way'],
    registers: [metrics.registry],
  })
  return {
    start: publisher.start,
    stop: publisher.stop,
    pagesOf: (feed) =>
      createBrokerPages(world, {
        ...feed,
        broker,
        reader: name,
        noted: (way, count) => read.inc({ source: feed.source, way }, count),
      }),
  }
}
