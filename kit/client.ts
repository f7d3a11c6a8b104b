/** Owns how a service calls a peer: a command with a batch, a token, a time-out, and a typed answer. */
import { z } from 'zod'
import type { World } from './world.ts'

/** The peer gave no usable answer: refused, reset, too slow, or a status that isn't 200. The outcome is unknown. */
export class PeerUnavailable extends Error {
  constructor(peer: string, reason: string, cause?: unknown) {
    super(`${peer}: ${reason}`, { cause })
    this.name = 'PeerUnavailable'
  }
}

export type Peer = {
  name: string
  baseUrl: string
  /** A bearer token for this scope. */
  token: (scope: string) => Promise<string>
  timeoutMs: number
}

/**
 * POSTs `{ items }` to `path` and gives the `outcomes` of the answer, parsed by `outcome`.
 * Throws PeerUnavailable whatever goes wrong: not one outcome is then known.
 */
export async function sendCommand<Outcome extends z.ZodType>(
  { fetch, timers }: Pick<World<unknown>, 'fetch' | 'timers'>,
  peer: Peer,
  command: { path: string; scope: string; items: unknown[]; outcome: Outcome },
): Promise<z.output<Outcome>[]> {
  const abort = new AbortController()
  const cancel = timers.after(peer.timeoutMs, () => abort.abort())
  try {
    const response = await fetch(peer.baseUrl + command.path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await peer.token(command.scope)}`,
      },
      body: JSON.stringify({ items: command.items }),
      signal: abort.signal,
    })
    const body: unknown = await response.json()
    if (!response.ok) throw new PeerUnavailable(peer.name, `answered ${response.status}`)
    return z.object({ outcomes: z.array(command.outcome) }).parse(body).outcomes
  } catch (error) {
    if (error instanceof PeerUnavailable) throw error
    const reason = abort.signal.aborted ? `no answer within ${peer.timeoutMs} ms` : 'no answer'
    throw new PeerUnavailable(peer.name, reason, error)
  } finally {
    cancel()
  }
}
