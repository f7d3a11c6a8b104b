/** Owns what is asked of a broker. It may lose, double, delay and reorder all that it is given: readers find the rest in the feed. */
/** An event on its way; `id` is its own, so that what is sent again is stored once (for some minutes). */
export type Message = { id: string; type: string; text: string }

export type Broker = {
  /** Stores messages under a log's name, in order; rejects when that is not sure. */
  publish: (log: string, messages: Message[]) => Promise<void>
  /**
   * What `reader` was not given yet of a log, as it comes: the texts of what came together. It ends
   * when `stopping` aborts, and throws when the broker is away or holds no such log.
   */
  follow: (log: string, reader: string, stopping: AbortSignal) => AsyncIterable<string[]>
  isConnected: () => boolean
  close: () => Promise<void>
}

/** The settings of a broker. Without NATS_URL there is none. */
export type BrokerConfig = {
  NATS_URL?: string[] | undefined
  NATS_CREDENTIALS_FILE?: string | undefined
  NATS_PREFIX: string
  NATS_REPLICAS: number
}

/** The broker of these settings, if there is one: only then is its code loaded. */
export async function openBroker(
  name: string,
  { NATS_URL: servers, ...config }: BrokerConfig,
): Promise<Broker | undefined> {
  if (servers === undefined) return undefined
  const { createNats } = await import('./nats.ts')
  return createNats({
    name,
    servers,
    credentials: config.NATS_CREDENTIALS_FILE,
    prefix: config.NATS_PREFIX,
    replicas: config.NATS_REPLICAS,
  })
}
