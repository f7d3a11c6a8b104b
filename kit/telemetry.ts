/** Owns metrics: one registry per service, in Prometheus' text format. */
import { Counter, Gauge, Histogram, register, Registry } from 'prom-client'

export type Metrics = {
  registry: Registry
  /** Seconds from the request's arrival to its response, by method, route pattern and status. */
  requests: Histogram<'method' | 'route' | 'status'>
}

/** The metrics of one service. */
export function createMetrics(service: string): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  return {
    registry,
    requests: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Seconds from the arrival of a request to its response.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    }),
  }
}

/** The service's metrics and, after them, those of the process it runs in. */
export async function metricsText({ registry }: Metrics): Promise<string> {
  return `${await registry.metrics()}\n${await register.metrics()}`
}

/** A counter of something that happened, by `outcome`. */
export function countOutcomes(metrics: Metrics, name: string, help: string): Counter<'outcome'> {
  return new Counter({ name, help, labelNames: ['outcome'], registers: [metrics.registry] })
}

/** A counter of something that happened with a peer, by `peer`. */
export function countByPeer(metrics: Metrics, name: string, help: string): Counter<'peer'> {
  return new Counter({ name, help, labelNames: ['peer'], registers: [metrics.registry] })
}

/** A gauge that is read when it is scraped. */
export function gauge(metrics: Metrics, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [metrics.registry],
    collect() {
      this.set(read())
    },
  })
}

/** What calls to peers come to, by `peer`. */
export type PeerMetrics = {
  commands: Counter<'peer' | 'outcome'>
  retries: Counter<'peer'>
  /** Tells, whenever it is scraped, whether the peer is left alone. */
  isOpen: (peer: string, read: () => boolean) => void
}

const ofPeers = new WeakMap<Metrics, PeerMetrics>()

/** The metrics of a service's peers: one set, whichever peer asks for it first. */
export function peerMetrics(metrics: Metrics): PeerMetrics {
  const made = ofPeers.get(metrics) ?? createPeerMetrics([metrics.registry])
  ofPeers.set(metrics, made)
  return made
}

function createPeerMetrics(registers: Registry[]): PeerMetrics {
  const peers = new Map<string, () => boolean>()
  new Gauge({
    name: 'peer_breaker_open',
    help: '1 while a peer is left alone after many failures.',
    labelNames: ['peer'],
    registers,
    collect() {
      for (const [peer, read] of peers) this.set({ peer }, Number(read()))
    },
  })
  return {
    commands: new Counter({
      name: 'peer_commands_total',
      help: 'Commands to peers, with all their retries, by what came of them.',
      labelNames: ['peer', 'outcome'],
      registers,
    }),
    retries: new Counter({
      name: 'peer_retries_total',
      help: 'Commands that were sent once more.',
      labelNames: ['peer'],
      registers,
    }),
    isOpen: (peer, read) => void peers.set(peer, read),
  }
}
