/** Owns the connection to NATS: made when it is first needed, and made anew, not mended, when it breaks. */
import {
  jetstream,
  jetstreamManager,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream'
import {
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node'

export type ConnectionOptions = {
  /** Told to the servers, for whoever looks who is connected. */
  name: string
  servers: string[]
  credentials: string | undefined
}

export type Connection = {
  nc: NatsConnection
  client: JetStreamClient
  manager: JetStreamManager
  /** Names of streams that were there when they were last looked for. */
  streams: Set<string>
}

export type Connector = {
  /** The connection; rejects when no server takes one. */
  get: () => Promise<Connection>
  isConnected: () => boolean
  close: () => Promise<void>
}

const CONNECT_TIMEOUT_MS = 2_000
const ANSWER_TIMEOUT_MS = 5_000
// A server that is frozen is left when two were not answered.
const PING_MS = 2_000

export function createConnector(options: ConnectionOptions): Connector {
  let current: Promise<Connection> | undefined
  let connected = false

  async function open(): Promise<Connection> {
    try {
      const nc = await connect(toNodeOptions(options))
      connected = true
      void forgetAtEnd(nc)
      const client = jetstream(nc, { timeout: ANSWER_TIMEOUT_MS })
      const manager = await jetstreamManager(nc, { timeout: ANSWER_TIMEOUT_MS, checkAPI: false })
      return { nc, client, manager, streams: new Set() }
    } catch (error) {
      current = undefined
      throw error
    }
  }

  async function forgetAtEnd(nc: NatsConnection): Promise<void> {
    await nc.closed()
    current = undefined
    connected = false
  }

  return {
    get: () => (current ??= open()),
    isConnected: () => connected,
    async close() {
      const closing = current?.then(({ nc }) => nc.close()).catch(() => {})
      // One that is being opened is closed when it is, which nobody waits for.
      if (connected) await closing
    },
  }
}

function toNodeOptions({ name, servers, credentials }: ConnectionOptions): NodeConnectionOptions {
  return {
    name,
    servers,
    timeout: CONNECT_TIMEOUT_MS,
    reconnect: false,
    noAsyncTraces: true,
    pingInterval: PING_MS,
    maxPingOut: 2,
    ...(servers.some((url) => url.startsWith('tls:')) ? { tls: {} } : {}),
    ...(credentials === undefined ? {} : toAuthentication(credentials)),
  }
}

/** From a `.creds` file, or a line `user:password`, or a token. */
function toAuthentication(credentials: string): NodeConnectionOptions {
  if (credentials.includes('NATS USER JWT')) {
    // Settings lose their last line's end, without which it isn't read.
    const authenticator = credsAuthenticator(new TextEncoder().encode(`${credentials}\n`))
    authenticator('tried here: what it throws on a socket would end the process')
    return { authenticator }
  }
  const [user = '', ...password] = credentials.split(':')
  return password.length === 0 ? { token: user } : { user, pass: password.join(':') }
}
