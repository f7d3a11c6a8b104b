/** Owns questions about TCP ports of this machine. */
import { createServer, type AddressInfo } from 'node:net'

/**
 * Whether nobody listens on a port, at 127.0.0.1 or at all addresses: macOS lets both be taken by
 * different programs, and "localhost" may then reach the other one.
 */
export async function isFree(port: number): Promise<boolean> {
  const outcomes = [await tryListen(port, '127.0.0.1'), await tryListen(port, '::')]
  return !outcomes.includes('EADDRINUSE') && outcomes[0] === port
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const outcome = await tryListen(0, '127.0.0.1')
  if (typeof outcome === 'string') throw new Error(`the system gives out no port: ${outcome}`)
  return outcome
}

// The port, or the code of the error: a machine without IPv6 has no '::', which is no reason to worry.
function tryListen(port: number, host: string): Promise<number | string> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve('code' in error ? String(error.code) : error.message))
    server.listen({ port, host, exclusive: true }, () => {
      const { port: taken } = server.address() as AddressInfo
      server.close(() => resolve(taken))
    })
  })
}
