/** Owns a bad neighbour: a proxy before a service that holds its requests, resets some, or is not there. */
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'

export type Neighbour = {
  url: string
  /** Where requests go on to. */
  lead: (origin: string) => void
  /** From now on: passes on, holds for 30 s, resets three of ten commands before they are passed on, or refuses. */
  behave: (how: 'well' | 'slow' | 'resetting' | 'dead') => Promise<void>
  /** Commands that came, whatever became of them. */
  calls: () => number
  close: () => Promise<void>
}

const SLOW_MS = 30_000

export async function openNeighbour(): Promise<Neighbour> {
  const agent = new Agent({ keepAlive: true })
  const held = new Set<NodeJS.Timeout>()
  let target = ''
  let mode: 'well' | 'slow' | 'resetting' | 'dead' = 'well'
  let calls = 0

  const server = createServer((incoming, outgoing) => {
    if (target === '') return void incoming.socket.destroy()
    const isCommand = incoming.url?.startsWith('/commands/') === true
    if (isCommand) calls += 1
    const isReset = mode === 'resetting' && isCommand && calls % 10 < 3
    if (isReset) return void incoming.socket.resetAndDestroy()
    if (mode !== 'slow') return passOn(incoming, outgoing, { agent, target })
    const timer = setTimeout(() => {
      held.delete(timer)
      passOn(incoming, outgoing, { agent, target })
    }, SLOW_MS)
    held.add(timer)
  })
  server.keepAliveTimeout = 75_000
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const shut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await listen(0)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    lead: (origin) => (target = origin),
    async behave(how) {
      if (how === 'dead') await shut()
      else if (!server.listening) await listen(port)
      mode = how
    },
    calls: () => calls,
    async close() {
      for (const timer of held) clearTimeout(timer)
      if (server.listening) await shut()
      agent.destroy()
    },
  }
}

function passOn(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { agent, target }: { agent: Agent; target: string },
): void {
  const { method, headers, url = '/' } = incoming
  const onward = request(target + url, { method, headers, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(outgoing)
  })
  onward.on('error', () => outgoing.destroy())
  incoming.pipe(onward)
}
