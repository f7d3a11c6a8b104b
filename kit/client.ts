/** Owns how a service calls a peer: a command with a batch, a token, a time-out, and a typed answer. */
import { z } from 'zod'
import { withTimeout } from './timeout.ts'
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
 * POSTs `{ items }` to `path` and gives the `outcomes` of the answer, parsed by `outcome`, each for
 * itself: one that can't be read is left out, so match them by what they are for, not by position.
 * Throws PeerUnavailable when there is no answer with an outcome per item: not one is then known.
 */
export async function sendCommand<Outcome extends z.ZodType>(
  { fetch, timers }: Pick<World<unknown>, 'fetch' | 'timers'>,
  peer: Peer,
  command: { path: string; scope: string; items: unknown[]; outcome: Outcome },
): Promise<z.output<Outcome>[]> {
  try {
    return await withTimeout(timers, peer.timeoutMs, async (signal) => {
      const response = await fetch(peer.baseUrl + command.path, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${await peer.token(command.scope)}`,
        },
        body: JSON.stringify({ items: command.items }),
        signal,
      })
      return await outcomesOf(response, peer.name, command)
    })
  } catch (error) {
    if (error instanceof PeerUnavailable) throw error
    const late = error instanceof Error && error.name === 'TimeoutError'
    throw new PeerUnavailable(peer.name, late ? error.message : 'no usable answer', error)
  }
}

async function outcomesOf<Outcome extends z.ZodType>(
  response: Response,
  peer: string,
  { items, outcome }: { items: unknown[]; outcome: Outcome },
): Promise<z.output<Outcome>[]> {
  if (!response.ok) {
    await response.body?.cancel() // else the connection is never used again
    throw new PeerUnavailable(peer, `answered ${response.status}`)
  }
  const { outcomes } = z.object({ outcomes: z.array(z.unknown()) }).parse(await response.json())
  if (outcomes.length !== items.length) {
    throw new PeerUnavailable(peer, `answered ${outcomes.length} outcomes to ${items.length} items`)
  }
  return outcomes.flatMap((each) => {
    const parsed = outcome.safeParse(each)
    return parsed.success ? [parsed.data] : []
  })
}
