/** Owns hearing what PostgreSQL notifies: a connection that only listens, made again when it breaks. */
import pg from 'pg'
import type { Log } from './log.ts'
import type { Timers } from './time.ts'

export type ListenOptions = { url: string; applicationName: string; timers: Timers; log: Log }

const RETRY_MS = 1_000
const CONNECT_TIMEOUT_MS = 5_000

/**
 * Calls `ring` at each NOTIFY on `channel` (an identifier, not quoted), and whenever a connection was
 * made: what was notified before then went unheard. The returned function ends it.
 */
export function listenTo(options: ListenOptions, channel: string, ring: () => void): () => void {
  const { url, applicationName, timers, log } = options
  let stopped = false
  let end = () => {}
  let cancelRetry = () => {}

  async function open(): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      application_name: `${applicationName} listens`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    })
    let over = false
    end = () => {
      if (over) return
      over = true
      void client.end().catch(() => {})
      if (!stopped) cancelRetry = timers.after(RETRY_MS, () => void open())
    }
    client.on('error', end)
    client.on('end', end)
    client.on('notification', ring)
    try {
      await client.connect()
      await client.query(`listen ${channel}`)
      ring()
    } catch (error) {
      if (!over) log.warn({ error, channel }, 'notifications go unheard; trying again')
      end()
    }
  }

  void open()
  return () => {
    stopped = true
    cancelRetry()
    end()
  }
}
